import { createKoboldBackend } from '@ai-ticket/core'
import { createVirtualClock, type KoboldFault, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { advanceUntil, failureOf, requestOf, startRawServer } from './ask-kobold.ts'

// Silence, pauses between tokens, and streams that go wrong in the middle. Time is virtual, sockets are real.

async function start(...faults: KoboldFault[]) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: 500, faults })
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: simulator.url, clock })
  return {
    simulator,
    clock,
    backend,
    async [Symbol.asyncDispose]() {
      await backend.close()
      await simulator.close()
    },
  }
}

test('a pause of 60 s between tokens ends a stream, after the server was told to stop', async () => {
  await using desk = await start({ fault: 'hang_mid_stream' })
  const error = await advanceUntil(desk.clock, failureOf(desk.backend, { stream: true }))
  expect(error).toMatchObject({ kind: 'stalled', stopped: 'ended' })
  expect(error.partial).toBeTruthy()
  expect(desk.clock.now()).toBeGreaterThanOrEqual(60_000)
  expect(desk.simulator.aborts[0]?.genkey).toBe('job-1')
  expect(desk.simulator.generating).toBe(false)
  expect(desk.clock.pending).toBe(0)
})

test('a plain call has no limit by the clock while the server works', async () => {
  await using desk = await start({ fault: 'hang_before_headers' })
  const caller = new AbortController()
  const failure = failureOf(desk.backend, { signal: caller.signal })
  let settled = false
  failure.finally(() => {
    settled = true
  })
  await advanceUntil(
    desk.clock,
    desk.simulator.waitFor(
      ({ requests }) => requests.filter(({ path }) => path.endsWith('perf')).length >= 20,
    ),
  )
  expect(desk.clock.now()).toBeGreaterThan(60_000)
  expect(settled).toBe(false)
  caller.abort()
  expect(await advanceUntil(desk.clock, failure)).toMatchObject({ kind: 'aborted' })
})

test.each([false, true])('a request the idle server has forgotten is lost (stream %s)', async (stream) => {
  await using desk = await start({ fault: 'hang_mid_stream', busy: false })
  const error = await advanceUntil(desk.clock, failureOf(desk.backend, { stream }))
  expect(error).toMatchObject({ kind: 'lost', stopped: 'idle' })
  expect(desk.clock.now()).toBeGreaterThanOrEqual(13_000)
  expect(desk.clock.now()).toBeLessThan(30_000)
})

test.each([false, true])('a server that answers nothing at all is dead (stream %s)', async (stream) => {
  await using server = await startRawServer(() => {})
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: server.url, clock })
  const error = await advanceUntil(clock, failureOf(backend, { stream }))
  expect(error).toMatchObject({ kind: 'dead', stopped: 'dead' })
  expect(clock.now()).toBeGreaterThanOrEqual(25_000)
  expect(clock.now()).toBeLessThan(28_000)
  expect(clock.pending).toBe(0)
  await backend.close()
})

test('an abort of a server that answers nothing settles as dead after 15 s', async () => {
  await using server = await startRawServer(() => {})
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: server.url, clock })
  const caller = new AbortController()
  const failure = failureOf(backend, { signal: caller.signal })
  await expect.poll(() => server.received.length).toBe(1)
  caller.abort()
  expect(await advanceUntil(clock, failure)).toMatchObject({ kind: 'aborted', stopped: 'dead' })
  expect(clock.now()).toBeGreaterThanOrEqual(15_000)
  expect(clock.now()).toBeLessThan(18_000)
  await backend.close()
})

test('a reader that takes an hour for a delta is not the silence of the server', async () => {
  await using desk = await start()
  const [endpoint] = desk.backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const options = { signal: new AbortController().signal, stream: true }
  const types: string[] = []
  for await (const event of desk.backend.generate(endpoint, requestOf({}), options)) {
    types.push(event.type)
    if (types.length === 2) await desk.clock.advance(3_600_000)
  }
  expect(types.at(-1)).toBe('end')
  expect(desk.simulator.aborts).toEqual([])
})

const streamed = (body: string) => `HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${body}`
const delta = 'data: {"choices": [{"delta": {"content": "half an"}, "finish_reason": null}]}\n\n'

test.each([
  ['an event that is not JSON', 'data: {"choi\n\n', 'not_json'],
  ['an error in the middle', 'data: {"error": {"message": "secret"}}\n\n', 'wrong_shape'],
  ['an event that is null', 'data: null\n\n', 'wrong_shape'],
  ['a line of two megabytes', `data: ${'x'.repeat(2 * 1024 * 1024)}`, 'wrong_shape'],
])('%s breaks a stream off, and the server is stopped first', async (_, bad, kind) => {
  const asides: string[] = []
  await using server = await startRawServer((socket, request) => {
    const aside = /extra\/(\w+)/.exec(request)?.[1]
    if (!aside) return socket.write(streamed(delta + bad))
    asides.push(aside)
    return socket.end(
      `HTTP/1.0 200 OK\r\n\r\n${aside === 'perf' ? '{"idle": 1}' : '{"success": "false", "done": "false"}'}`,
    )
  })
  const backend = createKoboldBackend({ url: server.url, abortIntervalMs: 20 })
  const error = await failureOf(backend, { stream: true })
  expect(error).toMatchObject({ kind, stopped: 'idle', partial: 'half an' })
  expect(error.message).not.toContain('secret')
  expect(asides).toContain('abort')
  await backend.close()
})

test('an abort that came before the server had read the call is repeated until it is found', async () => {
  const aborts: number[] = []
  let finish = () => {}
  await using server = await startRawServer((socket, request) => {
    const aside = /extra\/(\w+)/.exec(request)?.[1]
    if (!aside) {
      finish = () =>
        socket.end('HTTP/1.0 200 OK\r\n\r\n{"results": [{"text": "so far", "finish_reason": "length"}]}')
      return
    }
    if (aside === 'abort') aborts.push(performance.now())
    // The handler that read the call has not come to its turn before the third abort.
    const found = aborts.length >= 3
    if (aside === 'perf') socket.end('HTTP/1.0 200 OK\r\n\r\n{"idle": 0}')
    else socket.end(`HTTP/1.0 200 OK\r\n\r\n{"success": "${found}", "done": "${found}"}`)
    if (found) finish()
  })
  const backend = createKoboldBackend({ url: server.url, abortIntervalMs: 20 })
  const caller = new AbortController()
  const failure = failureOf(backend, { endpoint: 'native', signal: caller.signal })
  await expect.poll(() => server.received.length).toBe(1)
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted', stopped: 'ended', partial: 'so far' })
  expect(aborts).toHaveLength(3)
  await backend.close()
})

test('a server that does not stream and answers in one piece is read all the same', async () => {
  const reply = '{"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}'
  await using server = await startRawServer((socket) =>
    socket.end(`HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${reply}`),
  )
  const backend = createKoboldBackend({ url: server.url })
  const [endpoint] = backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const events = []
  const options = { signal: new AbortController().signal, stream: true }
  for await (const event of backend.generate(endpoint, requestOf({}), options)) events.push(event)
  expect(events).toMatchObject([
    { type: 'delta', text: 'whole' },
    { type: 'end', text: 'whole' },
  ])
  await backend.close()
})

test('a stream that never sends its end mark is whole a second after its finish reason', async () => {
  const body = 'data: {"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}\n\n'
  await using server = await startRawServer((socket) => socket.write(streamed(body)))
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: server.url, clock })
  const [endpoint] = backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const options = { signal: new AbortController().signal, stream: true }
  const events: string[] = []
  const reading = (async () => {
    for await (const event of backend.generate(endpoint, requestOf({}), options)) events.push(event.type)
  })()
  await advanceUntil(clock, reading)
  expect(events).toEqual(['delta', 'end'])
  expect(clock.now()).toBeLessThan(9000)
  await backend.close()
})
