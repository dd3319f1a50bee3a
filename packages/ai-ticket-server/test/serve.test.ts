import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { runProgram, SERVER, startServer } from './run-program.ts'

/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:9'

test('an event goes in and its completion comes out', async () => {
  await using simulator = await startKoboldSimulator()
  await using server = await startServer([], { KOBOLDCPP_API_URL: simulator.url })
  const response = await fetch(`${server.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"content":"Hello"}',
  })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({
    completion: expect.stringContaining('simulator'),
    backend: 'kobold',
    model: 'koboldcpp/simulator',
  })
})

test('at the start it says its version, its address, and of each backend whether it answers', async () => {
  await using simulator = await startKoboldSimulator()
  await using server = await startServer(['--kobold-url', `${simulator.url},${NOBODY}`])
  const away = await server.waitForLine(/^kobold-2 at .* does not answer/)
  expect(away).toMatchObject({ level: 'warn', backend: 'kobold-2', url: NOBODY })
  expect(server.lines[0]).toMatchObject({
    level: 'info',
    message: expect.stringMatching(/^AI Ticket \d.* starts$/),
  })
  expect(await server.waitForLine(/^kobold-1 at .* answers/)).toMatchObject({
    message: `kobold-1 at ${simulator.url} answers (koboldcpp/simulator, context 8192, version 1.115.1)`,
  })
})

test('GET /config shows what it runs with, and where that came from', async () => {
  const environment = { AI_TICKET_API_KEYS: 'boss=sk-of-the-boss', AI_TICKET_KEEP_DAYS: '3' }
  await using server = await startServer(['--kobold-url', NOBODY], environment)
  const headers = { authorization: 'Bearer sk-of-the-boss' }
  const text = await (await fetch(`${server.url}/config`, { headers })).text()
  expect(text).not.toContain('sk-of-the-boss')
  const { object, settings } = JSON.parse(text)
  expect(object).toBe('config')
  const setting = (name: string) => settings.find(({ key }: { readonly key: string }) => key === name)
  expect(setting('keep_days')).toMatchObject({
    value: 3,
    default: 7,
    origin: { kind: 'environment', name: 'AI_TICKET_KEEP_DAYS' },
    locked: true,
  })
  expect(setting('api_keys')).toMatchObject({ value: ['boss=***'], secret: true })
  expect(setting('backends.kobold.url')).toMatchObject({ value: NOBODY, origin: { kind: 'flag' } })
})

test('without any backend it starts, warns, and is ready', async () => {
  await using server = await startServer(['--kobold-url', NOBODY])
  await server.waitForLine(/^No backend answers/)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})

test('a port that is taken is an error that names --port', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const { code, stderr } = await runProgram(SERVER, ['--port', String(port), '--kobold-url', NOBODY])
  other.close()
  expect(stderr).toBe(
    `Port ${port} on 127.0.0.1 is taken. Stop the program that has it, or choose another: --port ${Number(port) + 1}\n`,
  )
  expect(code).toBe(1)
})

test('a wrong configuration stops the start with every problem and 78', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'ai-ticket-')), 'desk.json')
  writeFileSync(file, '{ "prot": 5000 }')
  const { code, stdout, stderr } = await runProgram(SERVER, ['--config', file], {
    environment: { LOG_LEVEL: 'loud' },
  })
  expect(code).toBe(78)
  expect(stdout).toBe('')
  expect(stderr).toContain(`prot in ${file} is not a known key. Did you mean "port"?`)
  expect(stderr).toContain('LOG_LEVEL is a text, but must be one of')
})

test('a configuration file that is not there is named', async () => {
  const { code, stderr } = await runProgram(SERVER, [], {
    environment: { AI_TICKET_CONFIG: '/nowhere.json' },
  })
  expect(code).toBe(78)
  expect(stderr).toBe(
    'AI_TICKET_CONFIG names the file /nowhere.json, which cannot be read (ENOENT). Correct the path, or leave it out.\n',
  )
})

test('it listens for others only with keys, or told that none are wanted', async () => {
  const refused = await runProgram(SERVER, ['--host', '0.0.0.0', '--port', '0'])
  expect(refused.code).toBe(78)
  expect(refused.stderr).toContain('Set AI_TICKET_API_KEYS')
  await using server = await startServer(['--host', '0.0.0.0', '--kobold-url', NOBODY], {
    AI_TICKET_API_KEYS: 'key',
  })
  expect((await fetch(`${server.url}/event`, { method: 'POST' })).status).toBe(401)
})

test('--help tells flags and exit codes, --version the version', async () => {
  const help = await runProgram(SERVER, ['--port', '1', '--help'])
  expect(help.code).toBe(0)
  for (const text of ['--kobold-url', '--log-level', '--config', '78   wrong configuration']) {
    expect(help.stdout).toContain(text)
  }
  expect(await runProgram(SERVER, ['--version'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
})

test.each([
  [['--prot', '1'], "error: unknown option '--prot'\n(Did you mean --port?)\n--help shows what there is.\n"],
  [['--port'], "error: option '--port <number>' argument missing\n--help shows what there is.\n"],
  [
    ['5000'],
    'error: too many arguments. Expected 0 arguments but got 1: 5000.\n--help shows what there is.\n',
  ],
])('the command line %j is refused with 2', async (args, message) => {
  expect(await runProgram(SERVER, args)).toEqual({ code: 2, stdout: '', stderr: message })
})

test('a bug is logged and ends the server with 70', async () => {
  const bug = "data:text/javascript,process.once('SIGUSR2',()=>{throw new Error('a bug')})"
  await using server = await startServer(['--kobold-url', NOBODY], { NODE_OPTIONS: `--import="${bug}"` })
  server.child.kill('SIGUSR2')
  expect(await server.ended).toBe(70)
  expect(await server.waitForLine(/^The server ends because of a bug/)).toMatchObject({
    level: 'error',
    error: expect.stringContaining('Error: a bug'),
  })
})
