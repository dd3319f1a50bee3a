import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openResponsesServer, type ResponsesServerOptions } from '../test/open-responses-server.ts'

// The unmodified `@openai/codex`, as npm installs it.
const CODEX = '@openai/codex@0.169.0'
const home = mkdtempSync(join(tmpdir(), 'codex-'))
/** What it tells readers to set is what is tried here. */
const PAGE = join(import.meta.dirname, '../../../docs/doors/openai-responses.md')
const ADDRESS = 'http://127.0.0.1:5000'

/** Nothing else can be reached: what is not the desk goes to a proxy that is not there. */
const CONFINED = {
  CODEX_HOME: home,
  HTTP_PROXY: 'http://127.0.0.1:9',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1',
}

interface Run {
  readonly code: number | null
  readonly output: string
}

function run(
  command: string,
  args: readonly string[],
  { env, ...options }: { readonly signal?: AbortSignal; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: home,
      env: { ...process.env, HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)))
    child.on('error', (error) => (options.signal?.aborted ? resolve({ code: null, output }) : reject(error)))
    child.on('close', (code) => resolve({ code, output }))
  })
}

beforeAll(async () => {
  const { code, output } = await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', home, CODEX])
  if (code !== 0) throw new Error(`${CODEX} does not install:\n${output}`)
})
// Codex may still write when its process has been killed.
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }))

async function openDesk(
  simulated: ResponsesServerOptions['simulated'],
  more: Omit<ResponsesServerOptions, 'simulated'> = {},
) {
  const at = await openResponsesServer({ simulated: { contextLength: 65_536, ...simulated }, ...more })
  const [, settings = ''] = /```toml codex\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? []
  if (!settings.includes(ADDRESS)) throw new Error(`${PAGE} does not say what to set in Codex.`)
  writeFileSync(join(home, 'config.toml'), settings.replace(ADDRESS, at.origin))
  const codex = join(home, 'node_modules/.bin/codex')
  return Object.assign(at, {
    ask: (prompt: string, more: { readonly signal?: AbortSignal } = {}) =>
      run(codex, ['exec', '--skip-git-repo-check', prompt], { ...more, env: CONFINED }),
  })
}

test('a plain turn', async () => {
  await using at = await openDesk({ answer: () => 'Hello from the desk.' })
  const { code, output } = await at.ask('Say hello')
  expect(output).toContain('Hello from the desk.')
  expect(code).toBe(0)
  expect(at.simulator.calls).toHaveLength(1)
})

test('a tool call, run by Codex, and the turn after it', async () => {
  await using at = await openDesk({
    answer({ messages = [], body }) {
      const last = messages.at(-1) as { readonly role?: string } | undefined
      if (last?.role === 'tool') return 'The tool has answered.'
      const tools = (body.tools ?? []) as readonly { readonly function: { readonly name: string } }[]
      const shell = tools.map((tool) => tool.function.name).find((name) => /shell|exec/.test(name)) ?? 'shell'
      const words =
        shell === 'exec_command' ? { cmd: 'echo 4711' } : { command: ['bash', '-lc', 'echo 4711'] }
      const call = { name: shell, arguments: JSON.stringify(words) }
      return { text: '', toolCalls: [{ id: 'call_1', type: 'function', function: call }] }
    },
  })
  const { output } = await at.ask('Run echo 4711')
  expect(output).toContain('The tool has answered.')
  expect(at.simulator.calls).toHaveLength(2)
  expect(JSON.stringify(at.simulator.calls[1]?.body)).toContain('call_1')
})

test('a hang-up stops the backend', async () => {
  await using at = await openDesk({ tokensPerSecond: 20, answer: () => 'word '.repeat(2_000) })
  const killed = new AbortController()
  const asked = at.ask('Tell me a long story', { signal: killed.signal })
  await at.simulator.waitForCall(1)
  await at.simulator.waitFor(() => (at.simulator.calls[0]?.tokensGenerated ?? 0) > 20)
  killed.abort()
  await asked
  await at.simulator.waitFor(({ generating }) => !generating)
  expect(at.simulator.calls).toHaveLength(1)
})

test('a full line: it asks again, and gets its answer when there is room', async () => {
  const answer = ({ text }: { readonly text: string }) =>
    text.includes('Say hello') ? 'Hello from the desk.' : 'word '.repeat(2_000)
  await using at = await openDesk({ tokensPerSecond: 20, answer }, { tuning: { lineCapacity: 0 } })
  const controller = new AbortController()
  const { signal } = controller
  const other = at.dispatcher.onEvent({ content: 'Tell me a long story' }, { signal }).catch(() => {})
  await at.simulator.waitForCall(1)
  let refused = 0
  at.server.server.on('request', (_request, reply) => {
    reply.once('finish', () => {
      if (reply.statusCode === 503) refused += 1
    })
  })
  const asked = at.ask('Say hello')
  await expect.poll(() => refused).toBeGreaterThan(1)
  controller.abort()
  await other
  const { code, output } = await asked
  expect(output).toContain('Hello from the desk.')
  expect(code).toBe(0)
})

test('a backend that dies in mid-stream: Codex asks again, and takes no half answer for a whole one', async () => {
  await using at = await openDesk({
    answer: () => 'A whole answer, all of it.',
    faults: [{ fault: 'reset_mid_chunk', afterTokens: 4, times: 1 }],
  })
  const { output } = await at.ask('Tell me a story')
  expect(at.simulator.calls.length).toBeGreaterThan(1)
  expect(output).toContain('A whole answer, all of it.')
})
