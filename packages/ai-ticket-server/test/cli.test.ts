import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { CLI, cleanEnvironment, runProgram, SERVER } from './run-program.ts'

/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:9'

async function writtenFile(content: string | Buffer): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'ai-ticket-')), 'schema.json')
  await writeFile(file, content)
  return file
}

const schemaFile = (schema: object) => writtenFile(JSON.stringify(schema))

const simulate = (answer: string) => startKoboldSimulator({ answer: () => answer })

test('ask prints the answer and nothing else', async () => {
  await using simulator = await simulate(' Because of Rayleigh.')
  const ended = await runProgram(CLI, ['ask', 'Why is the sky blue?', '--kobold-url', simulator.url])
  expect(ended).toEqual({ code: 0, stdout: 'Because of Rayleigh.\n', stderr: '' })
  expect(simulator.calls[0]?.stream).toBe(true)
})

test('ask - reads the prompt from stdin; --system and --max-tokens go along', async () => {
  await using simulator = await startKoboldSimulator({
    answer: ({ messages, body }) => JSON.stringify([messages, body.max_tokens]),
  })
  const args = ['ask', '-', '--system', 'Be brief.', '--max-tokens', '90']
  const { stdout } = await runProgram(CLI, args, {
    environment: { KOBOLDCPP_API_URL: simulator.url },
    input: 'From a pipe',
  })
  expect(JSON.parse(stdout)).toEqual([
    [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'From a pipe' },
    ],
    90,
  ])
})

test('ask without a prompt reads stdin where that is no terminal', async () => {
  await using simulator = await startKoboldSimulator({ answer: ({ messages }) => JSON.stringify(messages) })
  const options = { environment: { KOBOLDCPP_API_URL: simulator.url }, input: 'From a pipe' }
  const { stdout } = await runProgram(CLI, ['ask', '--system', 'Be brief.'], options)
  expect(JSON.parse(stdout)).toContainEqual({ role: 'user', content: 'From a pipe' })
  // A prompt that is given is all of it: a job may have a stdin that never ends.
  const given = await runProgram(CLI, ['ask', 'Given'], options)
  expect(JSON.parse(given.stdout)).toEqual([{ role: 'user', content: 'Given' }])
})

test('ask says when max_tokens cut the answer', async () => {
  await using simulator = await simulate('One two three four five six.')
  const words = ['ask', 'Count', '--max-tokens', '2', '--kobold-url', simulator.url]
  const { code, stdout, stderr } = await runProgram(CLI, words)
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^One/) })
  expect(stderr).toMatch(/^The answer was cut: .* Raise --max-tokens for more\.\n$/)
  expect(await runProgram(CLI, [...words, '--json'])).toMatchObject({ code: 0, stderr: '' })
})

test('ask --json prints the outcome', async () => {
  await using simulator = await simulate('Blue.')
  const { code, stdout } = await runProgram(CLI, [
    'ask',
    '--json',
    'A colour?',
    '--kobold-url',
    simulator.url,
  ])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ completion: 'Blue.', backend: 'kobold', finish_reason: 'stop' })
})

test.each([
  ['Latin-1', Buffer.from('Gr\xFC\xDFe', 'latin1')],
  ['UTF-16', Buffer.from('\uFEFFGrüße', 'utf16le')],
  ['UTF-8 that was cut within a character', Buffer.from('Grü').subarray(0, 3)],
])('ask - refuses %s before anybody is asked', async (_encoding, input) => {
  await using simulator = await simulate('Hello.')
  const options = { environment: { KOBOLDCPP_API_URL: simulator.url }, input }
  const plain = await runProgram(CLI, ['ask', '-'], options)
  const stderr = expect.stringMatching(/^invalid_request: stdin is not valid UTF-8\. /)
  expect(plain).toMatchObject({ code: 65, stdout: '', stderr })
  const json = await runProgram(CLI, ['ask', '-', '--json'], options)
  expect(json.code).toBe(65)
  expect(JSON.parse(json.stdout)).toMatchObject({ error: 'invalid_request', attempts: [] })
  expect(simulator.calls).toEqual([])
})

test('ask - leaves out the byte order mark of a pipe, and ask --schema that of a file', async () => {
  await using simulator = await startKoboldSimulator({ answer: ({ messages }) => JSON.stringify(messages) })
  const environment = { KOBOLDCPP_API_URL: simulator.url }
  const asked = await runProgram(CLI, ['ask', '-'], { environment, input: '\uFEFFGrüße' })
  expect(JSON.parse(asked.stdout)).toEqual([{ role: 'user', content: 'Grüße' }])
  const file = await writtenFile('\uFEFF{"type":"array"}')
  expect(await runProgram(CLI, ['ask', 'A list?', '--schema', file], { environment })).toMatchObject({
    code: 0,
  })
})

test('ask --schema prints the data alone, checked', async () => {
  const answers = ['Sure: {"colour": 1}', 'Sure: {"colour": "blue"}']
  await using simulator = await startKoboldSimulator({ version: '1.76', answer: () => answers.shift() ?? '' })
  const file = await schemaFile({ type: 'object', properties: { colour: { type: 'string' } } })
  const ended = await runProgram(CLI, ['ask', 'A colour?', '--schema', file, '--kobold-url', simulator.url])
  expect(ended).toEqual({ code: 0, stdout: '{"colour":"blue"}\n', stderr: '' })
  expect(simulator.calls).toHaveLength(2)
})

test('ask --schema that gets no such answer says why', async () => {
  await using simulator = await simulate('No idea.')
  const file = await schemaFile({ type: 'object' })
  const ended = await runProgram(CLI, ['ask', 'A colour?', '--schema', file, '--kobold-url', simulator.url])
  expect(ended).toMatchObject({
    code: 69,
    stdout: '',
    stderr: expect.stringMatching(/^output_schema_mismatch: /m),
  })
})

test.each([
  ['that is not there', async () => '/nowhere/schema.json', 'cannot be read (ENOENT)'],
  ['that is no JSON', () => writtenFile('{'), 'does not hold valid JSON'],
  ['that holds a list', () => writtenFile('[]'), 'must hold a JSON object'],
  ['in UTF-16', () => writtenFile(Buffer.from('\uFEFF{}', 'utf16le')), 'is not valid UTF-8'],
])('ask --schema with a file %s is a wrong command line', async (_what, file, said) => {
  const ended = await runProgram(CLI, ['ask', 'A colour?', '--schema', await file(), '--kobold-url', NOBODY])
  expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(said) })
})

test('ask that fails says why and ends with the code of its class', async () => {
  const unreachable = await runProgram(CLI, ['ask', 'Hello', '--kobold-url', NOBODY])
  expect(unreachable).toMatchObject({
    code: 69,
    stdout: '',
    stderr: expect.stringMatching(/^api_connection_error: /m),
  })
  const empty = await runProgram(CLI, ['ask', ' ', '--json', '--kobold-url', NOBODY])
  expect(empty.code).toBe(65)
  expect(JSON.parse(empty.stdout)).toMatchObject({ error: 'prompt_extraction_failed' })
})

test('ask --timeout gives up in time with 75', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 1 })
  const { code, stderr } = await runProgram(CLI, [
    'ask',
    'Hello',
    '--timeout',
    '300ms',
    '--kobold-url',
    simulator.url,
  ])
  expect(stderr).toMatch(/^deadline_exceeded: /m)
  expect(code).toBe(75)
})

test('Ctrl-C ends ask with 130 and stops the backend', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 2 })
  const child = spawn(process.execPath, [CLI, 'ask', 'Hello', '--kobold-url', simulator.url], {
    stdio: 'ignore',
  })
  await simulator.waitForCall()
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  expect(code).toBe(130)
  await simulator.waitFor(({ generating }) => !generating)
})

test('a reader that leaves, as head does, stops the backend too', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 20 })
  const child = spawn(process.execPath, [CLI, 'ask', 'Hello', '--kobold-url', simulator.url], {
    env: cleanEnvironment({}),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  await simulator.waitFor(({ generating }) => !generating)
  expect(simulator.aborts).not.toEqual([])
})

test('health tells of each backend; 69 if none answers', async () => {
  await using simulator = await startKoboldSimulator()
  const some = await runProgram(CLI, ['health', '--kobold-url', `${simulator.url},${NOBODY}`])
  expect(some.code).toBe(0)
  const [first, second] = some.stdout.split('\n')
  expect(first).toBe(`kobold-1  ${simulator.url}  ready (koboldcpp/simulator, context 8192, version 1.115.1)`)
  expect(second).toMatch(/^kobold-2 {2}http:\/\/127\.0\.0\.1:9 {2}down: /)
  const none = await runProgram(CLI, ['health', '--json', '--kobold-url', NOBODY])
  expect(none.code).toBe(69)
  expect(JSON.parse(none.stdout)).toMatchObject({ status: 'degraded', backends: [{ name: 'kobold' }] })
})

test('config show --origin says where values came from and masks secrets', async () => {
  const { code, stdout } = await runProgram(
    CLI,
    ['config', 'show', '--origin', '--kobold-url', 'http://a:1'],
    {
      environment: { PORT: '81', AI_TICKET_API_KEYS: 'sk-secret', KOBOLDCPP_API_KEY: 'kb-secret' },
    },
  )
  expect(code).toBe(0)
  const lines = stdout.split('\n')
  expect(lines).toContain('port = 81  (environment PORT)')
  expect(lines).toContain('host = "127.0.0.1"  (default)')
  expect(lines).toContain('api_keys = ["***"]  (environment AI_TICKET_API_KEYS)')
  expect(lines).toContain('backends.kobold.url = "http://a:1"  (flag --kobold-url)')
  expect(lines).toContain('backends.kobold.api_key = "***"  (environment KOBOLDCPP_API_KEY)')
  expect(lines).toContain('retries.attempts = 3  (default)')
  expect(stdout).not.toMatch(/(sk|kb)-secret/)
})

test('the folder of the call has settings in ai-ticket.jsonc and .env, and the environment wins over both', async () => {
  await using simulator = await simulate('From the folder.')
  const folder = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  await writeFile(join(folder, 'ai-ticket.jsonc'), '{ "port": 81, "drain_ms": 1 /* at once */ }')
  await writeFile(
    join(folder, '.env'),
    `AI_TICKET_BACKENDS="${simulator.url}" # ours\nPORT=82\nLOG_LEVEL=error\n`,
  )
  const options = { folder, environment: { PORT: '83', DATABASE_URL: 'postgres://user:secret@other/app' } }
  expect(await runProgram(CLI, ['ask', 'Hi'], options)).toEqual({
    code: 0,
    stdout: 'From the folder.\n',
    stderr: '',
  })
  const { stdout, stderr } = await runProgram(CLI, ['config', 'show', '--origin'], options)
  const lines = stdout.split('\n')
  expect(lines).toContain('port = 83  (environment PORT)')
  expect(lines).toContain('log_level = "error"  (environment LOG_LEVEL in .env)')
  expect(lines).toContain('drain_ms = 1  (file ai-ticket.jsonc)')
  expect(lines).toContain(
    `backends.kobold.url = "${simulator.url}"  (environment AI_TICKET_BACKENDS in .env)`,
  )
  expect(stderr).toBe(
    'The configuration file is ai-ticket.jsonc.\nThe file .env sets AI_TICKET_BACKENDS, LOG_LEVEL.\n' +
      'DATABASE_URL is set and not used. If it is the database for tickets, call it AI_TICKET_DATABASE_URL.\n',
  )
})

/** An empty folder with a file .env. */
async function folderWith(dotEnv: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  await writeFile(join(folder, '.env'), dotEnv)
  return folder
}

test.each([
  ['a byte order mark', '\uFEFFPORT=82\nHOST=::1\n'],
  ['line ends of Windows', 'PORT=82\r\nHOST=::1\r\n'],
])('a file .env with %s is read whole', async (_what, text) => {
  const { stdout } = await runProgram(CLI, ['config', 'show'], { folder: await folderWith(text) })
  expect(stdout).toContain('host = "::1"\nport = 82\n')
})

test('a file .env that cannot be read stops every command, for it may hold the keys', async () => {
  const utf16 = await runProgram(CLI, ['config', 'show'], {
    folder: await folderWith(Buffer.from('\uFEFFPORT=82\n', 'utf16le')),
  })
  const message = 'The file .env in this folder is not valid UTF-8. Save it as UTF-8.\n'
  expect(utf16).toEqual({ code: 78, stdout: '', stderr: message })
  const folder = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  await symlink('.env', join(folder, '.env'))
  expect(await runProgram(SERVER, ['--port', '0'], { folder })).toEqual({
    code: 78,
    stdout: '',
    stderr:
      'The file .env in this folder cannot be read (ELOOP). Correct its rights, or call the program in another folder.\n',
  })
})

test
  .runIf(process.platform === 'linux')
  .each([[['config', 'show']], [['--help']], [['ask', 'Hi']], [['ask', '--json', 'Hi']]])(
  '%j into a file on a full disk ends with 73 and says so',
  async (args) => {
    await using simulator = await simulate('An answer.')
    await using full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, [CLI, ...args], {
      env: cleanEnvironment({ KOBOLDCPP_API_URL: simulator.url }),
      stdio: ['ignore', full.fd, 'pipe'],
    })
    const [stderr, [code]] = await Promise.all([child.stderr && text(child.stderr), once(child, 'close')])
    expect({ code, stderr }).toEqual({
      code: 73,
      stderr: 'stdout cannot be written (ENOSPC). Make room, or send it to another place.\n',
    })
  },
)

test('a user without a home, as in a container, has no configuration there', async () => {
  const homeless =
    "import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'; os.homedir = () => { throw new Error('uv_os_homedir returned ENOENT') }; syncBuiltinESMExports()"
  const environment = {
    XDG_CONFIG_HOME: '',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(homeless)}`,
  }
  const { code, stderr } = await runProgram(CLI, ['config', 'show'], { environment })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('the folder of the user has a configuration for every other folder', async () => {
  const home = await mkdtemp(join(tmpdir(), 'ai-ticket-'))
  await mkdir(join(home, 'ai-ticket'))
  await writeFile(join(home, 'ai-ticket', 'config.json'), '{ "server": "http://desk:5000" }')
  const environment = { XDG_CONFIG_HOME: home }
  const { stdout } = await runProgram(CLI, ['config', 'show', '--origin'], { environment })
  expect(stdout).toContain(`server = "http://desk:5000"  (file ${join(home, 'ai-ticket', 'config.json')})`)
})

test('config show says when the server would refuse to listen', async () => {
  const { code, stderr } = await runProgram(CLI, ['config', 'show'], { environment: { HOST: '0.0.0.0' } })
  expect(code).toBe(0)
  expect(stderr).toMatch(/^The server will not start: HOST is an address that others can reach/)
})

test.each([
  [['aks', 'Hello'], "error: unknown command 'aks'\n(Did you mean ask?)\n"],
  [['ask'], 'What to ask is missing: ai-ticket ask "Why is the sky blue?"\n'],
  [['ask', 'two', 'words'], 'More than one prompt was given. Put the prompt between quotes.\n'],
  [['ask', 'x', '--max-token', '5'], "error: unknown option '--max-token'\n(Did you mean --max-tokens?)\n"],
  [
    ['ask', 'x', '--max-tokens', 'many'],
    "error: option '--max-tokens <number>' argument 'many' is invalid. It must be a whole number of at least 1.\n",
  ],
  [
    ['batch', 'in.jsonl', '-o', 'out.jsonl', '--concurrency', '10001'],
    "error: option '--concurrency <number>' argument '10001' is invalid. It must be a whole number from 1 to 10000.\n",
  ],
  [
    ['ask', 'x', '--timeout', 'soon'],
    "error: option '--timeout <time>' argument 'soon' is invalid. It must be a time like 500ms, 90s, 10m, 12h or 7d.\n",
  ],
  [['ask', 'x', '--system'], "error: option '--system <text>' argument missing\n"],
  [['tickets', 'drop', 'tkt_1'], "error: unknown command 'drop'\n"],
  [['tickets', 'show'], "error: missing required argument 'id'\n"],
  [
    ['batch', 'a.jsonl', 'b.jsonl', '-o', 'out.jsonl'],
    "error: too many arguments for 'batch'. Expected 1 argument but got 2",
  ],
  [
    ['completion', 'csh'],
    "error: command-argument value 'csh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.\n",
  ],
])('%j is refused with 2, and names a way out', async (args, message) => {
  const { code, stdout, stderr } = await runProgram(CLI, args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.startsWith(message)).toBe(true)
  expect(stderr).toMatch(/ai-ticket ask "|quotes\.|--help shows what there is\.\n$/)
})

test('a wrong configuration ends every command with 78', async () => {
  const environment = { KOBOLDCPP_API_URL: 'ftp://localhost' }
  for (const args of [['ask', 'x'], ['health'], ['config', 'show']]) {
    const { code, stderr } = await runProgram(CLI, args, { environment })
    expect(code).toBe(78)
    expect(stderr).toContain('KOBOLDCPP_API_URL[0] is a text')
  }
})

test.each([[CLI], [SERVER]])('%s -V prints the version', async (program) => {
  const { stdout } = await runProgram(program, ['-V'])
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('colours are for terminals that want them', async () => {
  const help = (...words: string[]) =>
    runProgram(CLI, ['--help', ...words], { environment: { FORCE_COLOR: '1' } })
  expect((await help()).stdout).toContain('\x1b[1mUsage:')
  expect((await help('--no-color')).stdout).not.toContain('\x1b')
  const unwanted = await runProgram(CLI, ['--help'], { environment: { NO_COLOR: '1' } })
  expect(unwanted.stdout).not.toContain('\x1b')
})

test.each([[['--help']], [['help']], [['-h']]])('%j lists the commands', async (args) => {
  const { code, stdout } = await runProgram(CLI, args)
  expect(code).toBe(0)
  for (const name of [
    'ask',
    'batch',
    'serve',
    'tickets',
    'line',
    'backends',
    'health',
    'config',
    'completion',
  ]) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  }
  expect(stdout).toContain('78   wrong configuration')
  expect(stdout).toMatch(/^Documentation: https:/m)
})

test.each([[['help', 'ask']], [['ask', '--help']], [['ask', 'x', '-h']]])(
  '%j shows the help of ask',
  async (args) => {
    const { code, stdout } = await runProgram(CLI, args)
    expect(code).toBe(0)
    expect(stdout).toContain('--max-tokens <number>')
    expect(stdout).toMatch(/^Documentation: https:/m)
    expect(stdout).not.toContain('\x1b')
  },
)

test.each([
  ['ai-ticket ask', CLI, ['ask', 'Hi']],
  ['ai-ticket --help', CLI, ['--help']],
  ['ai-ticket-server', SERVER, []],
])('%s on an old Node says which one it needs, and nothing else', async (_name, program, args) => {
  const old =
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })'
  const environment = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(old)}"` }
  const ended = await runProgram(program, args, { environment })
  expect(ended).toEqual({
    code: 78,
    stdout: '',
    stderr: expect.stringMatching(/^AI Ticket needs Node 22\.19 or newer; this is 20\.20\.2\. [^\n]*\n$/),
  })
})
