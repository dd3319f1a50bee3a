import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openBatchFolder } from './batch-folder.ts'
import { CLI, runProgram, startServer } from './run-program.ts'

/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:9'

const simulate = (answer: string) => startKoboldSimulator({ answer: () => answer })

const portOf = ({ url }: { readonly url: string }) => new URL(url).port

test('ask --server streams the answer of a running server, and stops it where the caller leaves', async () => {
  await using simulator = await simulate(' From the box.')
  await using server = await startServer(['--kobold-url', simulator.url], { AI_TICKET_API_KEYS: 'key' })
  const environment = { AI_TICKET_API_KEYS: 'key', KOBOLDCPP_API_URL: NOBODY }
  const ask = (...words: string[]) => runProgram(CLI, ['ask', 'Hi', ...words], { environment })
  const ended = await ask('--server', server.url)
  expect(ended).toEqual({ code: 0, stdout: 'From the box.\n', stderr: '' })
  expect(simulator.calls[0]?.stream).toBe(true)
  const asJson = await ask('--json', '--server', `${server.url}/`)
  expect(JSON.parse(asJson.stdout)).toMatchObject({ completion: 'From the box.', backend: 'kobold' })
  expect(simulator.calls[1]?.stream).toBe(false)
})

test.each([
  [
    ['--server', NOBODY],
    {},
    69,
    `api_connection_error: No AI Ticket server answers at ${NOBODY}. Start it, or name`,
  ],
  [
    ['--server', 'desk:5000'],
    {},
    78,
    '--server is a text, but must be an address like http://127.0.0.1:5000',
  ],
  [[], { AI_TICKET_SERVER: NOBODY }, 69, `api_connection_error: No AI Ticket server answers at ${NOBODY}`],
])('ask %j %j ends with %i', async (words, environment, exitCode, said) => {
  for (const flags of [[], ['--json']]) {
    const { code, stderr } = await runProgram(CLI, ['ask', 'Hi', ...flags, ...words], { environment })
    expect({ code, stderr }).toEqual({ code: exitCode, stderr: expect.stringMatching(/[^\n]+\n$/) })
    expect(stderr.startsWith(said)).toBe(true)
  }
})

test('a server that refuses the key, the event or the answer says so with its exit code', async () => {
  await using simulator = await startKoboldSimulator({ password: 'secret' })
  await using server = await startServer(['--kobold-url', simulator.url], { AI_TICKET_API_KEYS: 'key' })
  const ask = (prompt: string, key: string) =>
    runProgram(CLI, ['ask', prompt, '--server', server.url], { environment: { AI_TICKET_API_KEYS: key } })
  expect(await ask('Hi', 'other')).toMatchObject({
    code: 77,
    stderr: expect.stringMatching(/^unauthorised: /),
  })
  expect(await ask(' ', 'key')).toMatchObject({
    code: 65,
    stderr: expect.stringMatching(/^prompt_extraction_failed: /),
  })
  expect(await ask('Hi', 'key')).toMatchObject({
    code: 77,
    stderr: expect.stringMatching(/^api_authentication_error: /),
  })
})

test('where nothing names a backend, the AI Ticket of this machine is asked, by ask, health and batch', async () => {
  await using simulator = await simulate('From the desk.')
  await using server = await startServer(['--kobold-url', simulator.url])
  const environment = { PORT: portOf(server) }
  expect(await runProgram(CLI, ['ask', 'Hi'], { environment })).toMatchObject({
    code: 0,
    stdout: 'From the desk.\n',
  })
  const health = await runProgram(CLI, ['health'], { environment })
  expect(health.stdout).toBe(
    `kobold  at ${server.url}  ready (koboldcpp/simulator, context 8192, version 1.115.1)\n`,
  )
  const batch = await openBatchFolder('"One"\n', environment)
  expect(await batch.run('--quiet')).toMatchObject({ code: 0, stderr: '' })
  // A backend that is named is asked from here.
  const here = await runProgram(CLI, ['ask', 'Hi', '--kobold-url', NOBODY], { environment })
  expect(here).toMatchObject({
    code: 69,
    stderr: expect.stringContaining('Backend kobold (chat) cannot be reached'),
  })
})

test('another program on that port is not taken for AI Ticket', async () => {
  await using server = createServer((_request, response) => response.writeHead(405).end('{"error":"no"}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const environment = { PORT: String((server.address() as AddressInfo).port) }
  const { stderr } = await runProgram(CLI, ['ask', 'Hi'], { environment })
  expect(stderr).toContain('Backend kobold (chat) cannot be reached')
})

test('health --server without the right to the detail tells the status; 69 without a server', async () => {
  await using simulator = await startKoboldSimulator()
  await using server = await startServer(['--kobold-url', simulator.url], { AI_TICKET_API_KEYS: 'key' })
  const status = await runProgram(CLI, ['health', '--server', server.url])
  expect(status).toEqual({ code: 0, stdout: `${server.url}  healthy\n`, stderr: '' })
  const nobody = await runProgram(CLI, ['health', '--server', NOBODY])
  expect(nobody).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/^No AI Ticket server answers at .*--server/),
  })
})

test('line shows who runs and who waits', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 1 })
  await using server = await startServer(['--kobold-url', simulator.url])
  const leaving = new AbortController()
  const asked = [1, 2].map((index) =>
    fetch(`${server.url}/event`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ content: `Number ${index}` }),
      signal: leaving.signal,
    }).catch(() => undefined),
  )
  const line = (...words: string[]) => runProgram(CLI, ['line', '--server', server.url, ...words])
  await expect
    .poll(async () => (await line()).stdout, { timeout: 60_000 })
    .toMatch(
      /^1 running, 1 of 1000 waiting\nhand_\S+ {2}(reading|writing) {2}kobold {2}.*for \d+ s.*\nhand_\S+ {2}place 1 {2}.*for \d+ s.*\n$/,
    )
  const asJson = await line('--json')
  expect(JSON.parse(asJson.stdout)).toMatchObject({ object: 'line', running: [{ backend: 'kobold' }] })
  leaving.abort()
  await Promise.all(asked)
})

test('backends lists, pauses and resumes', async () => {
  await using simulator = await startKoboldSimulator()
  await using server = await startServer(['--kobold-url', simulator.url])
  await server.waitForLine(/^kobold at .* answers/)
  const backends = (...words: string[]) => runProgram(CLI, ['backends', ...words, '--server', server.url])
  const idle = { code: 0, stdout: 'kobold  ready  0/1 busy  koboldcpp/simulator\n', stderr: '' }
  expect(await backends('list')).toEqual(idle)
  const paused = await backends('pause', 'kobold')
  expect(paused.stdout).toMatch(/^kobold {2}ready {2}paused by \S+ since \d{4}-\S+Z {2}0\/1 busy/)
  expect((await backends('list')).stdout).toBe(paused.stdout)
  expect(await backends('resume', 'kobold')).toEqual(idle)
  expect(await backends('pause', 'nobody')).toMatchObject({
    code: 65,
    stderr: expect.stringContaining('No backend has this name. Known: kobold.'),
  })
})
