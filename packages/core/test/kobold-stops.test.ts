import { createServer } from 'node:net'
import { createKoboldBackend } from '@ai-ticket/core'
import { createVirtualClock, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { advanceUntil, ask, failureOf, type KoboldRequest, startKobold } from './ask-kobold.ts'

// Servers on which an abort does not simply work. Times in brackets are facts about KoboldCPP 1.115.1.

const CHAT = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'Done.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
})
const YES = '{"success": "true", "done": "true"}'
const NO = '{"success": "false", "done": "false"}'

const isAbort = ({ path }: KoboldRequest) => path.endsWith('/abort')
const isPerf = ({ path }: KoboldRequest) => path.endsWith('/perf')

test('a generation that was given up as dead is aborted before the next one is sent', async () => {
  const clock = createVirtualClock()
  let isAsleep = true
  const server = (asked: KoboldRequest) => {
    if (isAsleep) return
    if (isAbort(asked)) asked.reply(YES)
    else asked.reply(isPerf(asked) ? '{"idle": 1, "queue": 0}' : CHAT)
  }
  await using kobold = await startKobold(server, { clock })
  const failure = await advanceUntil(clock, failureOf(kobold.backend, { key: 'given-up' }))
  expect(failure).toMatchObject({ kind: 'dead', stopped: 'dead' })
  isAsleep = false
  kobold.seen.length = 0
  const { end } = await advanceUntil(clock, ask(kobold.backend, { key: 'next' }))
  expect(end.text).toBe('Done.')
  expect(kobold.seen.filter((line) => !line.startsWith('perf'))).toEqual([
    'abort given-up',
    'completions next',
  ])
  kobold.seen.length = 0
  await advanceUntil(clock, ask(kobold.backend, { key: 'third' }))
  expect(kobold.seen).toEqual(['completions third'])
})

test('a server that is still asleep gets no further generation', async () => {
  const clock = createVirtualClock()
  await using kobold = await startKobold(() => {}, { clock })
  await advanceUntil(clock, failureOf(kobold.backend, { key: 'given-up' }))
  const failure = await advanceUntil(clock, failureOf(kobold.backend, { key: 'next' }))
  expect(failure).toMatchObject({ kind: 'dead', stopped: 'not_sent' })
  expect(kobold.seen).not.toContain('completions next')
})

test.each(['refused', 'broken'])(
  'a server whose port is %s is gone, not asleep: the next call finds out by itself',
  async (how) => {
    const clock = createVirtualClock()
    const simulator = await startKoboldSimulator({ faults: [{ fault: 'reset_mid_chunk', times: 1 }] })
    const backend = createKoboldBackend({ url: simulator.url, clock })
    const failing = failureOf(backend, { key: 'cut' })
    await simulator.waitForCall()
    await simulator.kill()
    const { port } = new URL(simulator.url)
    const breaking = createServer((socket) => socket.resetAndDestroy())
    if (how === 'broken')
      await new Promise<void>((resolve) => breaking.listen(Number(port), '127.0.0.1', resolve))
    expect(['disconnected', 'connect']).toContain((await advanceUntil(clock, failing)).kind)
    const next = await advanceUntil(clock, failureOf(backend, { key: 'next' }))
    expect(how === 'refused' ? ['connect'] : ['connect', 'disconnected']).toContain(next.kind)
    await backend.close()
    breaking.close()
  },
)

test('a server that wakes up is told to stop when somebody looks at it', async () => {
  const clock = createVirtualClock()
  let isAsleep = true
  const server = (asked: KoboldRequest) => {
    if (!isAsleep) asked.reply(isAbort(asked) ? YES : '{"idle": 1, "queue": 0, "value": 4096, "result": "m"}')
  }
  await using kobold = await startKobold(server, { clock })
  await advanceUntil(clock, failureOf(kobold.backend, { key: 'given-up' }))
  isAsleep = false
  kobold.seen.length = 0
  await advanceUntil(clock, kobold.backend.probe(new AbortController().signal))
  await expect.poll(() => kobold.seen).toContain('abort given-up')
})

const TOOLS = [{ type: 'function', function: { name: 'look', parameters: {} } }]

/** While it chooses a tool, it knows no key (2 to 4 s); an abort without a key stops that and the call. */
function choosingServer() {
  let endCall: ((body: string) => void) | undefined
  return (asked: KoboldRequest) => {
    if (isPerf(asked)) return asked.reply(endCall ? '{"idle": 0, "queue": 0}' : '{"idle": 1, "queue": 0}')
    if (!isAbort(asked)) {
      endCall = asked.reply
      return
    }
    if (asked.key !== undefined) return asked.reply(NO)
    asked.reply(YES)
    endCall?.(CHAT)
    endCall = undefined
  }
}

test('a call whose tool is being chosen is stopped without its key, which the server does not know yet', async () => {
  await using kobold = await startKobold(choosingServer(), { abortIntervalMs: 20 })
  const caller = new AbortController()
  const failure = failureOf(kobold.backend, { parameters: { tools: TOOLS }, signal: caller.signal })
  await expect.poll(() => kobold.seen).toContain('completions job-1')
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(kobold.seen.filter((line) => line.startsWith('abort'))).toEqual([
    'abort job-1',
    'abort job-1',
    'abort -',
  ])
})

test.each([
  ['a named tool', { tools: TOOLS, tool_choice: { type: 'function', function: { name: 'look' } } }],
  ['no tool', { tools: TOOLS, tool_choice: 'none' }],
  ['no tools', {}],
])('with %s nothing is aborted without a key', async (_what, parameters) => {
  await using kobold = await startKobold(choosingServer(), { abortIntervalMs: 20 })
  const caller = new AbortController()
  const failure = failureOf(kobold.backend, { parameters, signal: caller.signal })
  await expect.poll(() => kobold.seen).toContain('completions job-1')
  caller.abort()
  await expect.poll(() => kobold.seen.filter((line) => line === 'abort job-1').length).toBeGreaterThan(5)
  expect(kobold.seen).not.toContain('abort -')
  await kobold.backend.close()
  await failure
})

test('a server with --parallelrequests only says that it stops: its stream is closed', async () => {
  const simulator = await startKoboldSimulator({
    concurrency: 2,
    tokensPerSecond: 50,
    answer: () => 'one two three four five six seven eight nine ten '.repeat(100),
  })
  const backend = createKoboldBackend({ url: simulator.url })
  const caller = new AbortController()
  const parameters = { max_tokens: 1000 }
  const failure = failureOf(backend, { stream: true, parameters, signal: caller.signal })
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 5)
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted' })
  await simulator.waitFor(({ generating }) => !generating)
  expect(simulator.calls[0]?.tokensGenerated).toBeLessThan(900)
  await backend.close()
  await simulator.close()
})
