import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { CLI, runProgram, SERVER, startServer } from './run-program.ts'

// What a newcomer gets wrong, word for word: each message says what to do next.

/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:9'
const QUIET = { LOG_LEVEL: 'silent' }

async function said(program: string, words: readonly string[], environment: Record<string, string> = QUIET) {
  const { code, stdout, stderr } = await runProgram(program, words, { environment })
  expect(stdout).toBe('')
  return { code, stderr }
}

const REFUSED =
  'api_connection_error: Backend kobold (chat) cannot be reached: it refuses the connection. Start it, load its model, or correct its URL.\n'

test('no server, and none is named', async () => {
  // A port where no AI Ticket listens.
  const { code, stderr } = await said(CLI, ['ask', 'Hi'], { ...QUIET, PORT: '9' })
  expect(code).toBe(69)
  expect(stderr).toBe(
    `${REFUSED}No backend is named, so a KoboldCPP was asked (kobold at http://localhost:5001/api). Name yours, like --backend openai=http://localhost:11434, or start AI Ticket first: ai-ticket serve\n`,
  )
})

test('a server that is named and not there', async () => {
  expect(await said(CLI, ['ask', 'Hi', '--kobold-url', NOBODY])).toEqual({
    code: 69,
    stderr: `${REFUSED}Asked: kobold at ${NOBODY} (flag --kobold-url). Start it, or name another with --backend.\n`,
  })
})

test('a desk that is named and not there', async () => {
  expect(await said(CLI, ['tickets', 'list', '--server', NOBODY])).toEqual({
    code: 69,
    stderr: `No AI Ticket server answers at ${NOBODY}. Start it, or name another with --server.\n`,
  })
})

test.each([
  [
    ['--backend', 'openai:http://localhost:11434'],
    '--backend[0] is a text, but must be an http or https address without user and password, like http://localhost:5001. Correct it, or leave --backend out for the default.\n',
  ],
  [
    ['--backend', 'ollama=http://localhost:11434'],
    '--backend[0] is of the kind "ollama", but must be kobold=http://… or openai=http://… (Ollama, llama.cpp, vLLM and LM Studio are openai). Correct it.\n',
  ],
  [
    ['--config', 'desk.json'],
    '--config names the file desk.json, which cannot be read (ENOENT). Correct the path, or leave it out.\n',
  ],
])('a wrong address or file: %j', async (words, stderr) => {
  for (const [program, before] of [
    [CLI, ['ask', 'Hi']],
    [SERVER, []],
  ] as const) {
    expect(await said(program, [...before, ...words])).toEqual({ code: 78, stderr })
  }
})

test('a wrong key, of the backend and of the desk', async () => {
  await using simulator = await startKoboldSimulator({ password: 'secret' })
  const environment = { ...QUIET, KOBOLDCPP_API_URL: simulator.url, KOBOLDCPP_API_KEY: 'wrong' }
  const atBackend = await said(CLI, ['ask', 'Hi'], environment)
  expect(atBackend).toEqual({
    code: 77,
    stderr: expect.stringMatching(
      /^api_authentication_error: .*\nPut the right key into KOBOLDCPP_API_KEY, /,
    ),
  })
  await using server = await startServer(['--kobold-url', simulator.url], { AI_TICKET_API_KEYS: 'right' })
  const atDesk = await said(CLI, ['ask', 'Hi', '--server', server.url], { AI_TICKET_API_KEYS: 'wrong' })
  expect(atDesk).toEqual({
    code: 77,
    stderr: expect.stringMatching(
      /^unauthorised: .* Here, set AI_TICKET_API_KEYS to a key that this server takes\.\n$/,
    ),
  })
})

test('a port that is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await runProgram(SERVER, ['--port', String(port), '--kobold-url', NOBODY])
  other.close()
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `Port ${port} on 127.0.0.1 is taken. Stop the program that has it, or choose another: --port ${port + 1}\n`,
  })
})

test.each([
  [
    ['ask', 'Hi', '--kobol-url', NOBODY],
    "error: unknown option '--kobol-url'\n(Did you mean --kobold-url?)\n",
  ],
  [['aks', 'Hi'], "error: unknown command 'aks'\n(Did you mean ask?)\n"],
  [['ticket', 'list'], "error: unknown command 'ticket'\n(Did you mean tickets?)\n"],
  [['Why is the sky blue?'], "error: unknown command 'Why is the sky blue?'\n"],
])('a misspelt word: %j', async (words, message) => {
  expect(await said(CLI, words)).toEqual({ code: 2, stderr: `${message}--help shows what there is.\n` })
})
