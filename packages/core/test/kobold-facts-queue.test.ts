import { createKoboldBackend } from '@ai-ticket/core'
import { createVirtualClock, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { advanceUntil, ask, failureOf, replayed, requestOf, startRawServer, user } from './ask-kobold.ts'

// Facts 13 to 31: checks, errors, the queue, aborts. See kobold-facts.test.ts.

const never = new AbortController().signal
const long = {
  answer: () => 'one two three four five six seven eight nine ten '.repeat(100),
  tokensPerSecond: 50,
}

test('fact 13: a probe waits for nothing while a generation runs', async () => {
  await using simulator = await startKoboldSimulator(long)
  const backend = createKoboldBackend({ url: simulator.url })
  const running = new AbortController()
  const generation = failureOf(backend, { signal: running.signal, parameters: { max_tokens: 400 } })
  await simulator.waitFor(({ generating }) => generating)
  expect(await backend.probe(never)).toMatchObject({ idle: false, models: ['koboldcpp/simulator'] })
  expect(await backend.countTokens?.(requestOf({}), never)).toBeGreaterThan(0)
  expect(simulator.generating).toBe(true)
  running.abort()
  await generation
})

test('fact 14: the type in the detail says what kind of error it is, and its text is never repeated', async () => {
  const body = '{"detail": {"msg": "secret prompt", "type": "bad_input"}}'
  await using server = await startRawServer((socket) => socket.end(`HTTP/1.0 500 Error\r\n\r\n${body}`))
  const backend = createKoboldBackend({ url: server.url })
  const error = await failureOf(backend)
  expect(error).toMatchObject({ kind: 'status', status: 500, reason: 'bad_input', stopped: 'ended' })
  expect(error.message).not.toContain('secret')
  await backend.close()
})

test('fact 14: tokencount says 400 and -1 to what it cannot count', async () => {
  await using desk = await replayed('1.115.1', 'tokencount-prompt-number')
  await expect(desk.backend.countTokens?.(requestOf({}), never)).rejects.toMatchObject({
    kind: 'status',
    status: 400,
  })
})

test('fact 15: malformed JSON is a 500 that never gets better', async () => {
  await using desk = await replayed('1.76', 'error-malformed-json')
  expect(await failureOf(desk.backend, { endpoint: 'native' })).toMatchObject({
    status: 500,
    reason: 'bad_input',
  })
})

test.each(['1.76', '1.115.1'] as const)(
  'fact 16: null with status 200 is a failed generation (%s)',
  async (version) => {
    await using desk = await replayed(version, 'error-prompt-number')
    expect(await failureOf(desk.backend, { endpoint: 'native' })).toMatchObject({ kind: 'wrong_shape' })
  },
)

test('fact 16: options that are not set are left out, never sent as null', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  const backend = createKoboldBackend({ url: simulator.url })
  for (const endpoint of ['chat', 'text', 'native'] as const) await ask(backend, { endpoint })
  const values = simulator.calls.flatMap(({ body }) => Object.values(body as Record<string, unknown>))
  expect(values.length).toBeGreaterThan(10)
  expect(values.filter((value) => value === null || value === undefined)).toEqual([])
})

test.each([
  ['no turns', []],
  ['a turn without content', [{ role: 'user' }]],
  ['a turn without a role', [{ content: 'hi' }]],
  ['content that is a number', [{ role: 'user', content: 5 }]],
  ['content that is null without calls', [{ role: 'assistant', content: null }]],
  ['a part nobody knows', [{ role: 'user', content: [{ type: 'audio' }] }]],
])('fact 17: %s would crash the handler and is not sent', async (_, turns) => {
  await using simulator = await startKoboldSimulator()
  const backend = createKoboldBackend({ url: simulator.url })
  // Checked before, but a library is also called from JavaScript.
  const error = await failureOf(backend, { turns: turns as never })
  expect(error).toMatchObject({ kind: 'invalid_request', stopped: 'not_sent' })
  expect(simulator.requests).toEqual([])
})

test('fact 17: an empty reply looks like a killed server: the server is asked before it is thrown', async () => {
  await using desk = await replayed('1.76', 'error-chat-messages-string')
  expect(await failureOf(desk.backend)).toMatchObject({ kind: 'disconnected', stopped: 'idle' })
  expect(desk.server.requests.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['/v1/chat/completions', '/api/extra/abort', '/api/extra/perf']),
  )
})

test('fact 18: a stream with a head and then nothing, while the server is idle, is lost', async () => {
  await using simulator = await startKoboldSimulator({ faults: [{ fault: 'stream_head_then_nothing' }] })
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: simulator.url, clock })
  const error = await advanceUntil(clock, failureOf(backend, { stream: true }))
  expect(error).toMatchObject({ kind: 'lost', stopped: 'idle' })
  expect(clock.now()).toBeGreaterThanOrEqual(13_000)
  expect(clock.now()).toBeLessThan(20_000)
  await simulator.waitFor(({ openConnections }) => openConnections === 0)
  expect(clock.pending).toBe(0)
})

test('fact 19: unknown roles are refused here, for the server would write them without tags', async () => {
  await using simulator = await startKoboldSimulator()
  const backend = createKoboldBackend({ url: simulator.url })
  const turns = [{ role: 'narrator', content: 'hi' }] as never
  expect(await failureOf(backend, { turns })).toMatchObject({ kind: 'invalid_request' })
})

test('fact 19: any model name is taken, so the one that answered is told', async () => {
  await using desk = await replayed('1.115.1', 'chat-normal')
  expect((await ask(desk.backend, { model: 'whatever' })).end.model).toBe('koboldcpp/stories260K')
  expect(desk.server.requests[0]?.body).toMatchObject({ model: 'whatever' })
})

test.each([
  ['1.76', 'no-model-chat', 'chat'],
  ['1.76', 'no-model-generate', 'native'],
  ['1.115.1', 'new-no-model-chat', 'chat'],
  ['1.115.1', 'new-no-model-generate', 'native'],
] as const)(
  'fact 20: without a model the empty 200 is a failure (%s %s)',
  async (version, name, endpoint) => {
    await using desk = await replayed(version, name)
    expect(await failureOf(desk.backend, { endpoint })).toMatchObject({ kind: 'no_model' })
  },
)

test('fact 20: a probe names no model where none is loaded', async () => {
  await using desk = await replayed('1.115.1', ['new-no-model-models', 'new-no-model-version'])
  expect((await desk.backend.probe(never)).models).toEqual([])
})

test('fact 21: beyond the waiting room there is a 503 at once', async () => {
  await using simulator = await startKoboldSimulator({ ...long, waitingRoom: 0 })
  const backend = createKoboldBackend({ url: simulator.url })
  const running = new AbortController()
  const first = failureOf(backend, { signal: running.signal, parameters: { max_tokens: 400 } })
  await simulator.waitFor(({ generating }) => generating)
  expect(await failureOf(backend, { key: 'job-2' })).toMatchObject({
    kind: 'status',
    status: 503,
    reason: 'busy',
  })
  running.abort()
  await first
})

test('fact 22: a call that waits gets no byte for a long time, which is no failure', async () => {
  await using simulator = await startKoboldSimulator({ faults: [{ fault: 'hang_before_headers' }] })
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: simulator.url, clock })
  const caller = new AbortController()
  const waiting = failureOf(backend, { signal: caller.signal })
  await simulator.waitFor(({ generating }) => generating)
  const looks = () => simulator.requests.filter(({ path }) => path === '/api/extra/perf').length
  await advanceUntil(
    clock,
    simulator.waitFor(() => looks() >= 5),
  )
  // One after 10 s, and one every 3 s.
  expect(clock.now()).toBeGreaterThanOrEqual(22_000)
  expect(clock.now()).toBeLessThan(30_000)
  expect(clock.pending).toBe(1)
  caller.abort()
  expect(await advanceUntil(clock, waiting)).toMatchObject({ kind: 'aborted', stopped: 'ended' })
})

test('fact 22: the 503 of a full queue names no time, that of --ratelimit does in its text', async () => {
  await using full = await replayed('1.115.1', 'busy-503-chat')
  expect((await failureOf(full.backend)).retryAfterMs).toBeUndefined()
  await using limited = await replayed('1.115.1', 'new-ratelimit')
  expect((await failureOf(limited.backend, { endpoint: 'native' })).retryAfterMs).toBe(4000)
})

test('fact 23: perf says idle and how many wait', async () => {
  await using desk = await replayed('1.115.1', 'get-extra-perf-one-waiting')
  expect(await desk.backend.probe(never)).toMatchObject({ idle: false, waiting: 1 })
})

test('fact 24: right after an answer the server still says it is busy', async () => {
  await using desk = await replayed('1.76', 'get-extra-perf-right-after')
  const state = await desk.backend.probe(never)
  expect(state.idle).toBe(false)
  expect(state.generationSpeed).toBeCloseTo(1000 / 17.958, 1)
})

test.each(['chat', 'text', 'native'] as const)(
  'fact 25: every generation carries its key (%s)',
  async (endpoint) => {
    await using simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
    const backend = createKoboldBackend({ url: simulator.url })
    await ask(backend, { endpoint, key: 'a' })
    await ask(backend, { endpoint, key: 'b', stream: true })
    expect(simulator.calls.map(({ genkey }) => genkey)).toEqual(['a', 'b'])
  },
)

test('fact 26: the words "true" and "false" of an abort are strings, and only the second says that it is gone', async () => {
  const answers: Record<string, string> = {
    abort: '{"success": "false", "done": "false"}',
    perf: '{"idle": 0}',
  }
  await using server = await startRawServer((socket, request) => {
    const name = /extra\/(\w+)/.exec(request)?.[1]
    if (name === undefined) socket.resetAndDestroy()
    else socket.end(`HTTP/1.0 200 OK\r\n\r\n${answers[name]}`)
  })
  const backend = createKoboldBackend({ url: server.url, abortIntervalMs: 10 })
  expect(await failureOf(backend)).toMatchObject({ kind: 'disconnected', stopped: 'ended' })
  await backend.close()
})

test('fact 27: an aborted call answers 200 and "length", but is known to be aborted', async () => {
  await using simulator = await startKoboldSimulator(long)
  const backend = createKoboldBackend({ url: simulator.url })
  const caller = new AbortController()
  const failure = failureOf(backend, { signal: caller.signal, parameters: { max_tokens: 400 } })
  await simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 3)
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(simulator.calls[0]).toMatchObject({ state: 'aborted', status: 200 })
})

test('fact 28: a plain call is not just closed: its key is aborted while it stays open', async () => {
  await using simulator = await startKoboldSimulator(long)
  const backend = createKoboldBackend({ url: simulator.url })
  const caller = new AbortController()
  const failure = failureOf(backend, { key: 'gone', signal: caller.signal, parameters: { max_tokens: 400 } })
  await simulator.waitFor(({ generating }) => generating)
  caller.abort()
  await failure
  expect(simulator.aborts[0]?.genkey).toBe('gone')
  expect(simulator.calls[0]?.clientGoneAt).toBeUndefined()
  expect(simulator.generating).toBe(false)
})

test('fact 29: a stream is not just closed either, so that it stops at once', async () => {
  await using simulator = await startKoboldSimulator({ ...long, hangUpNoticeMs: 60_000 })
  const backend = createKoboldBackend({ url: simulator.url })
  const caller = new AbortController()
  const failure = failureOf(backend, { stream: true, signal: caller.signal, parameters: { max_tokens: 400 } })
  await simulator.waitFor(({ generating }) => generating)
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(simulator.generating).toBe(false)
})

test('fact 31: with --parallelrequests an abort is answered and not obeyed: the call settles at its own end', async () => {
  await using simulator = await startKoboldSimulator({ ...long, concurrency: 2 })
  const backend = createKoboldBackend({ url: simulator.url })
  const caller = new AbortController()
  const asked = { signal: caller.signal, turns: [user('hi')], parameters: { max_tokens: 30 } }
  const failure = failureOf(backend, asked)
  await simulator.waitFor(({ generating }) => generating)
  caller.abort()
  expect(await failure).toMatchObject({ kind: 'aborted', stopped: 'ended' })
  expect(simulator.calls[0]).toMatchObject({ state: 'finished', tokensGenerated: 30 })
})
