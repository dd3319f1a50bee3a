import {
  type BackendError,
  createKoboldBackend,
  type GenerationEvent,
  type KoboldBackendOptions,
} from '@ai-ticket/core'
import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const endpoints = ['chat', 'text', 'native'] as const
const ways = endpoints.flatMap((endpoint) => [false, true].map((stream) => [endpoint, stream] as const))

async function start(simulated: KoboldSimulatorOptions = {}, options: Partial<KoboldBackendOptions> = {}) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: 50, ...simulated })
  const backend = createKoboldBackend({ url: simulator.url, ...options })
  let calls = 0
  return {
    simulator,
    backend,
    /** Starts a generation; `events` fills as they come, `result` holds how it ended. */
    ask(name: string, stream: boolean, max_tokens = 400) {
      const endpoint = backend.endpoints.find((one) => one.name === name)
      if (!endpoint) throw new Error(`no endpoint ${name}`)
      const controller = new AbortController()
      const events: GenerationEvent[] = []
      const key = `job-${++calls}`
      const turns = [{ role: 'user', content: 'Count to a thousand.' }] as const
      const request = { key, turns, parameters: { max_tokens, temperature: 0.7, top_p: 1 } }
      const run = async () => {
        for await (const event of backend.generate(endpoint, request, {
          signal: controller.signal,
          stream,
        })) {
          events.push(event)
        }
      }
      const result: Promise<BackendError | undefined> = run().then(
        () => undefined,
        (error) => error,
      )
      return { key, events, result, abort: () => controller.abort() }
    },
    async [Symbol.asyncDispose]() {
      await backend.close()
      await simulator.close()
    },
  }
}

const long = { answer: () => 'one two three four five six seven eight nine ten '.repeat(100) }

test.each(ways)(
  '%s, stream %s: an abort stops the server before generate settles',
  async (endpoint, stream) => {
    await using desk = await start({ ...long, tokensPerSecond: 20 })
    const { key, result, abort } = desk.ask(endpoint, stream)
    await desk.simulator.waitForCall()
    await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 5)
    abort()
    const error = await result
    expect(error).toMatchObject({ name: 'BackendError', kind: 'aborted', stopped: 'ended' })
    expect(error?.partial).toContain('one two')
    expect(desk.simulator.generating).toBe(false)
    expect(desk.simulator.aborts[0]).toMatchObject({ genkey: key, result: { success: 'true', done: 'true' } })
    expect(desk.simulator.calls[0]?.state).toBe('aborted')
    expect(desk.simulator.wastedTokens).toBe(0)
    expect(desk.simulator.calls[0]?.tokensGenerated).toBeLessThan(40)
  },
)

test.each(ways)(
  '%s, stream %s: an abort while the prompt is read stops it, too',
  async (endpoint, stream) => {
    await using desk = await start({ promptTokensPerSecond: 1 })
    const { result, abort } = desk.ask(endpoint, stream)
    await desk.simulator.waitFor(({ generating }) => generating)
    abort()
    expect(await result).toMatchObject({ kind: 'aborted', stopped: 'ended' })
    expect(desk.simulator.calls[0]?.tokensGenerated).toBe(0)
  },
)

test('an abort in the moment of sending finds the call, for it is repeated', async () => {
  await using desk = await start(long)
  const { result, abort } = desk.ask('chat', false)
  abort()
  expect(await result).toMatchObject({ kind: 'aborted' })
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.calls.every(({ tokensGenerated }) => tokensGenerated < 40)).toBe(true)
})

test('a signal that is aborted already sends nothing', async () => {
  await using desk = await start()
  const [endpoint] = desk.backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const request = {
    key: 'k',
    turns: [{ role: 'user', content: 'hi' }] as const,
    parameters: { max_tokens: 5, temperature: 1, top_p: 1 },
  }
  const events = desk.backend.generate(endpoint, request, { signal: AbortSignal.abort(), stream: false })
  await expect(events[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    kind: 'aborted',
    stopped: 'not_sent',
  })
  expect(desk.simulator.requests).toHaveLength(0)
})

test('a reader that leaves a stream early stops the server', async () => {
  await using desk = await start(long)
  const [endpoint] = desk.backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const request = {
    key: 'left',
    turns: [{ role: 'user', content: 'hi' }] as const,
    parameters: { max_tokens: 400, temperature: 1, top_p: 1 },
  }
  const signal = new AbortController().signal
  for await (const event of desk.backend.generate(endpoint, request, { signal, stream: true })) {
    expect(event.type).toBe('delta')
    break
  }
  expect(desk.simulator.generating).toBe(false)
  expect(desk.simulator.aborts[0]?.genkey).toBe('left')
  expect(desk.simulator.wastedTokens).toBe(0)
})

test('an abort of a call that waits behind another one ends with it, not before', async () => {
  await using desk = await start({ ...long, tokensPerSecond: 20 })
  const first = desk.ask('native', false, 60)
  await desk.simulator.waitForCall(1)
  const second = desk.ask('chat', false)
  await desk.simulator.waitForCall(2)
  second.abort()
  expect(await second.result).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(await first.result).toBeUndefined()
  expect(first.events.at(-1)).toMatchObject({ type: 'end', finish_reason: 'length' })
  expect(desk.simulator.calls[1]?.tokensGenerated).toBe(0)
})

test('a call that ignores the abort keeps its slot until it ends', async () => {
  const faults = [{ fault: 'hang_before_headers', ignoreAbort: true, times: 1 }] as const
  await using desk = await start({ faults })
  const { result, abort } = desk.ask('chat', false)
  await desk.simulator.waitFor(({ generating }) => generating)
  abort()
  await desk.simulator.waitFor(({ aborts }) => aborts.length >= 4)
  const early = await Promise.race([result, Promise.resolve('still taken')])
  expect(early).toBe('still taken')
  await desk.simulator.kill()
  expect(await result).toMatchObject({ kind: 'aborted', stopped: 'ended' })
})

test('a stuck plain call on a server that dies without closing is dead', async () => {
  await using desk = await start({ faults: [{ fault: 'hang_before_headers', ignoreAbort: true }] })
  const { result, abort } = desk.ask('chat', false)
  await desk.simulator.waitFor(({ generating }) => generating)
  await desk.simulator.stopListening()
  abort()
  expect(await result).toMatchObject({ kind: 'aborted', stopped: 'dead' })
})

test.each(endpoints)('%s: a plain call cut by a reset is stopped before it is thrown', async (endpoint) => {
  await using desk = await start({ faults: [{ fault: 'reset_mid_chunk' }] })
  const { key, result } = desk.ask(endpoint, false)
  expect(await result).toMatchObject({ kind: 'disconnected', stopped: 'idle' })
  expect(desk.simulator.aborts[0]?.genkey).toBe(key)
})

test('200 hang-ups in a row leave no connection', async () => {
  await using desk = await start({ ...long, abortReplyMs: 1 })
  for (let round = 0; round < 200; round++) {
    const { result, abort } = desk.ask(endpoints[round % 3] ?? 'chat', round % 2 === 0)
    await desk.simulator.waitForCall(round + 1)
    abort()
    expect(await result).toMatchObject({ kind: 'aborted' })
  }
  await desk.simulator.waitFor(({ openConnections }) => openConnections === 0)
  expect(desk.simulator.generating).toBe(false)
  expect(desk.simulator.wastedTokens).toBe(0)
})

test('closing twice is harmless, and what runs is cut', async () => {
  await using desk = await start(long)
  const { result, events } = desk.ask('chat', true)
  await expect.poll(() => events.length).toBeGreaterThan(0)
  await desk.backend.close()
  await desk.backend.close()
  expect(await result).toMatchObject({ kind: 'interrupted', stopped: 'dead' })
})
