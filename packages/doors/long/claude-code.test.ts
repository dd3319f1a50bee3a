import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { anthropicDoor } from '../src/anthropic/anthropic-door.ts'
import { openDoor } from '../test/open-door.ts'

const PACKAGE = '@anthropic-ai/claude-code@2.1.332'
const PAGE = join(import.meta.dirname, '../../../docs/doors/anthropic.md')
const INSTALL_MS = 600_000
const FAST = { contextLength: 65_536, tokensPerSecond: Number.POSITIVE_INFINITY }

let folder = ''
let program = ''
/** Why there is no program to test; empty: there is. */
let missing = ''

// It is large and not free software, so it is no dependency: it is fetched where a registry has it.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'claude-code-'))
  const flags = ['--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts']
  try {
    await promisify(execFile)('npm', ['install', ...flags, PACKAGE], { timeout: INSTALL_MS, cwd: folder })
  } catch {
    missing = `${PACKAGE} does not install from npm here.`
    return
  }
  const name = `claude-code-${process.platform}-${process.arch}`
  program = join(folder, 'node_modules/@anthropic-ai', name, 'claude')
  if (!existsSync(program)) missing = `${PACKAGE} has no program for ${process.platform}-${process.arch}.`
}, INSTALL_MS)

afterAll(() => rm(folder, { recursive: true, force: true }))

/** A desk that Claude Code can ask, and the statuses that it got. Skips the test in words where there is no program. */
async function openDesk({ skip }: TestContext, options: Parameters<typeof openDoor>[1] = {}) {
  if (missing !== '') skip(missing)
  const statuses: number[] = []
  const watched: FastifyPluginCallback = fastifyPlugin((instance, _options, done) => {
    instance.addHook('onResponse', async (_request, reply) => void statuses.push(reply.statusCode))
    instance.register(anthropicDoor)
    done()
  })
  const desk = await openDoor(watched, { simulator: FAST, ...options })
  await writeSettings(desk.url)
  return {
    ...desk,
    statuses,
    start(args: string[], variables: Record<string, string> = {}) {
      const env = { ...environment(), ...variables }
      const started = spawn(program, ['-p', '--output-format', 'json', ...args], {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      return Object.assign(started, { answer: answerOf(started) })
    },
  }
}

/** Nothing else can be reached: what is not the desk goes to a proxy that is not there. */
const environment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: folder,
  HTTPS_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1',
})

/** As the page has them, but for the address. */
async function writeSettings(url: string): Promise<void> {
  const [, settings = ''] = /```json claude-code\n(.*?)```/s.exec(await readFile(PAGE, 'utf8')) ?? []
  await mkdir(join(folder, '.claude'), { recursive: true })
  await writeFile(join(folder, '.claude/settings.json'), settings.replace('http://127.0.0.1:5000', url))
}

interface Answer {
  readonly is_error: boolean
  readonly result: string
  readonly num_turns: number
}

async function answerOf({ stdout }: Pick<ChildProcess, 'stdout'>): Promise<Answer> {
  const written = stdout === null ? '' : await text(stdout)
  return written === '' ? { is_error: true, result: '', num_turns: 0 } : JSON.parse(written)
}

test('a plain turn', async (context) => {
  await using desk = await openDesk(context, { simulator: { ...FAST, answer: () => 'Good day to you.' } })
  expect(await desk.start(['Say hello']).answer).toMatchObject({
    is_error: false,
    result: 'Good day to you.',
    num_turns: 1,
    modelUsage: { default: { contextWindow: 32_768 } },
  })
  const body = desk.simulator.calls[0]?.body as { messages: { role: string; content: string }[] }
  expect(body.messages.map(({ role }) => role)).toEqual(['system', 'user'])
  expect(body.messages.at(-1)?.content).toMatch(/Say hello$/)
  expect(body.messages[0]?.content).not.toContain('x-anthropic-billing-header')
})

test('a call of a tool', async (context) => {
  const call = { command: 'echo $((4700 + 11))', description: 'Add' }
  const toolCalls = [
    { id: 'call_1', type: 'function', function: { name: 'Bash', arguments: JSON.stringify(call) } },
  ]
  const answer = ({ messages = [] }: { messages?: readonly unknown[] }) =>
    JSON.stringify(messages.at(-1)).includes('4711') ? 'It is 4711.' : { text: '', toolCalls }
  await using desk = await openDesk(context, { simulator: { ...FAST, answer } })
  const { answer: told } = desk.start(['Add', '--allowedTools', 'Bash'])
  expect(await told).toMatchObject({ is_error: false, result: 'It is 4711.', num_turns: 2 })
  const { messages } = (desk.simulator.calls[1]?.body ?? {}) as { messages?: object[] }
  expect(messages?.slice(-2)).toMatchObject([
    { role: 'assistant', tool_calls: [{ id: 'call_1' }] },
    { role: 'tool', tool_call_id: 'call_1', content: '4711' },
  ])
})

test('a hang-up stops the backend', async (context) => {
  const answer = () => 'word '.repeat(2_000)
  await using desk = await openDesk(context, { simulator: { ...FAST, tokensPerSecond: 20, answer } })
  const started = desk.start(['Write'])
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2, { timeoutMs: 60_000 })
  const before = desk.simulator.calls[0]?.tokensGenerated ?? 0
  const since = performance.now()
  started.kill('SIGKILL')
  await desk.simulator.waitFor(({ generating }) => !generating)
  const [call] = desk.simulator.calls
  // As many tokens as a second has: a machine that is busy elsewhere makes fewer in that time.
  expect((call?.tokensGenerated ?? 0) - before).toBeLessThanOrEqual(20)
  expect(call?.state).toBe('aborted')
  await context.annotate(`stopped after ${Math.round((call?.endedAt ?? 0) - since)} ms`)
  await started.answer
})

test('a full line: it waits and asks again', async (context) => {
  await using desk = await openDesk(context, {
    simulator: {
      ...FAST,
      tokensPerSecond: 20,
      answer: ({ text: read }) => (read.includes('hello') ? 'Good day.' : 'word '.repeat(2_000)),
    },
    dispatcher: { lineCapacity: 1 },
  })
  const controller = new AbortController()
  const { signal } = controller
  const others = ['one', 'two'].map((content) =>
    desk.dispatcher.onEvent({ content }, { signal }).catch(() => {}),
  )
  await expect.poll(() => desk.dispatcher.report().line.waiting).toBe(1)
  const started = desk.start(['Say hello'])
  await expect.poll(() => desk.statuses).toContain(529)
  controller.abort()
  await Promise.all(others)
  expect(await started.answer).toMatchObject({ is_error: false, result: 'Good day.' })
  expect(desk.statuses.at(-1)).toBe(200)
})

const DYING = { ...FAST, tokensPerSecond: 100, answer: () => 'word '.repeat(50) }
const WHOLE = 'word '.repeat(50).trim()

test('a backend that dies in mid-stream: it asks again, and gets the whole answer', async (context) => {
  await using desk = await openDesk(context, {
    simulator: { ...DYING, faults: [{ fault: 'reset_mid_chunk', afterTokens: 5, times: 1 }] },
  })
  expect(await desk.start(['Write']).answer).toMatchObject({ is_error: false, result: WHOLE })
  expect(desk.simulator.calls.length).toBeGreaterThan(1)
})

test('a backend that dies each time: an error, never half an answer', async (context) => {
  await using desk = await openDesk(context, {
    simulator: { ...DYING, faults: [{ fault: 'reset_mid_chunk', afterTokens: 5 }] },
  })
  const { is_error, result } = await desk.start(['Write'], { CLAUDE_CODE_MAX_RETRIES: '1' }).answer
  expect(is_error).toBe(true)
  expect(result).not.toMatch(/^word/)
})

test('a backend that is not there: one call, and the message is shown', async (context) => {
  await using desk = await openDesk(context)
  await desk.simulator.stopListening()
  const { is_error, result } = await desk.start(['Say hello']).answer
  expect({ is_error, result }).toEqual({ is_error: true, result: expect.stringContaining('503') })
  expect(desk.statuses).toEqual([503])
})

test('a prompt that is too long: it says so, and how to go on', async (context) => {
  await using desk = await openDesk(context, { simulator: { ...FAST, contextLength: 2_048 } })
  const { is_error, result } = await desk.start(['Say hello']).answer
  expect({ is_error, result }).toMatchObject({
    is_error: true,
    result: expect.stringMatching(/^Prompt is too long/),
  })
  expect(desk.simulator.calls).toHaveLength(0)
})
