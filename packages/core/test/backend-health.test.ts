import {
  type Backend,
  BackendError,
  createDispatcher,
  createKoboldBackend,
  createOpenAIBackend,
} from '@ai-ticket/core'
import { createVirtualClock, startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { startRawServer } from './ask-kobold.ts'
import { openDesk } from './open-desk.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

test('a KoboldCPP that wants another password is not healthy, says why, and is asked last', async () => {
  await using desk = await openDesk([{ ...AT_ONCE, password: 'other' }, AT_ONCE])
  expect(await desk.dispatcher.health()).toMatchObject({
    status: 'healthy',
    backends: [
      { name: 'b1', state: 'down', details: expect.stringMatching(/^unauthorised: .*key/) },
      { state: 'ready' },
    ],
  })
  for (let event = 0; event < 5; event++) {
    expect(await desk.dispatcher.onEvent({ content: 'x' })).toMatchObject({
      backend: 'b2',
      attempts: [{ backend: 'b2' }],
    })
  }
  expect(desk.simulators[0].calls).toHaveLength(0)
})

test('alone with a wrong key, the desk is degraded, and its events say why they failed', async () => {
  await using simulator = await startOpenAISimulator({ apiKey: 'right' })
  await using dispatcher = createDispatcher({
    backends: [createOpenAIBackend({ name: 'hosted', url: simulator.url, apiKey: 'wrong' })],
  })
  // This server lists its models to everybody, so that the first event finds out.
  expect(await dispatcher.onEvent({ content: 'x' })).toMatchObject({ error: 'api_authentication_error' })
  expect(await dispatcher.health()).toMatchObject({
    status: 'degraded',
    backends: [{ state: 'down', details: expect.stringMatching(/^unauthorised/) }],
  })
})

test('a wrong key is one line of the log, without a stack, however many events meet it', async () => {
  await using simulator = await startKoboldSimulator({ ...AT_ONCE, password: 'right' })
  const lines: { message: string; fields: object | undefined }[] = []
  const keep = (message: string, fields?: object) => lines.push({ message, fields })
  await using dispatcher = createDispatcher({
    backends: [createKoboldBackend({ url: simulator.url, apiKey: 'wrong' })],
    logger: { debug() {}, info() {}, warn: keep, error: keep },
  })
  // So long that its tokens are counted, which the server refuses, too.
  const event = { content: 'Lily sat. '.repeat(2000) }
  for (let count = 0; count < 4; count++) {
    expect(await dispatcher.onEvent(event)).toMatchObject({ error: 'api_authentication_error' })
  }
  // Beside the line of each event that says how it ended.
  expect(lines.filter(({ message }) => message !== 'event failed')).toEqual([
    {
      message: 'backend is down',
      fields: { backend: 'kobold', details: expect.stringMatching(/^unauthorised: /) },
    },
  ])
})

const saying = (status: string, body: string) =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const kobold = (url: string) => createKoboldBackend({ name: 'box', url })
const openAI = (url: string) => createOpenAIBackend({ name: 'box', url })

test.each([
  [
    'a proxy whose KoboldCPP is gone',
    kobold,
    '502 Bad Gateway',
    /^Backend box \(probe\) answered with status 502/,
  ],
  [
    'a proxy whose server is gone',
    openAI,
    '502 Bad Gateway',
    /^Backend box \(probe\) answered with status 502/,
  ],
  [
    'a web server that is no KoboldCPP',
    kobold,
    '404 Not Found',
    /does not answer as a KoboldCPP does\. Check the URL/,
  ],
  ['a page that answers everything', kobold, '200 OK', /does not answer as a KoboldCPP does\. Check the URL/],
  ['a proxy that wants a login', kobold, '401 Unauthorized', /^unauthorised: /],
] as const)('%s is not healthy, and says why', async (_what, backendAt, status, details) => {
  await using server = await startRawServer((socket) => socket.write(saying(status, '<h1>Hello</h1>')))
  await using dispatcher = createDispatcher({ backends: [backendAt(server.url)] })
  expect(await dispatcher.health()).toMatchObject({
    status: 'degraded',
    backends: [{ state: 'down', details: expect.stringMatching(details) }],
  })
})

test.each(['404 Not Found', '500 Internal Server Error'])(
  'a server that answers events is not down because it answers looks with %s',
  async (status) => {
    const answer = '{"choices":[{"message":{"content":"Yes."},"finish_reason":"stop"}]}'
    await using server = await startRawServer((socket, request) =>
      socket.write(request.startsWith('POST') ? saying('200 OK', answer) : saying(status, '')),
    )
    await using dispatcher = createDispatcher({ backends: [kobold(server.url)], probeIntervalMs: 1 })
    expect(await dispatcher.health()).toMatchObject({ status: 'degraded' })
    expect(await dispatcher.onEvent({ content: 'x' })).toMatchObject({ completion: 'Yes.' })
    await expect
      .poll(() => dispatcher.health())
      .toMatchObject({ status: 'healthy', backends: [{ state: 'ready' }] })
  },
)

test('what a KoboldCPP did not say in one look is as it was before', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  let cuts = ''
  await using server = await startRawServer(async (socket, request) => {
    const path = request.split(' ')[1] ?? ''
    if (path === cuts) return socket.destroy()
    const reply = await fetch(simulator.url + path)
    return socket.write(saying(`${reply.status} OK`, await reply.text()))
  })
  const backend = kobold(server.url)
  const whole = await backend.probe(new AbortController().signal)
  await using dispatcher = createDispatcher({ backends: [backend] })
  await dispatcher.health()
  const before = dispatcher.report().backends[0]
  expect(before).toMatchObject({ models: whole.models, context_length: whole.contextLength })
  for (cuts of ['/api/v1/model', '/v1/models', '/api/extra/true_max_context_length', '/api/extra/version']) {
    expect(await backend.probe(new AbortController().signal)).toMatchObject({ incomplete: true })
    expect(await dispatcher.backend('box')?.probe()).toEqual(before)
  }
})

test('a look that does not say whether the server is idle is no sight of it idle', async () => {
  let [looks, calls] = [0, 0]
  const backend: Backend = {
    name: 'box',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    // biome-ignore lint/correctness/useYield: it answers nothing.
    async *generate() {
      calls += 1
      throw new BackendError('status', 'box is busy.', { status: 503, reason: 'busy' })
    },
    probe: async () => {
      looks += 1
      return looks === 1 ? { models: ['m'], idle: true } : { models: [], incomplete: true }
    },
    close: async () => {},
  }
  // Time stands still, so only the sight of an idle server could send the event again.
  const clock = createVirtualClock()
  await using dispatcher = createDispatcher({ backends: [backend], clock, attempts: 1 })
  await dispatcher.health()
  const leaving = new AbortController()
  const waiting = dispatcher.onEvent({ content: 'x' }, { signal: leaving.signal }).catch(() => {})
  await expect.poll(() => dispatcher.report().line.waiting).toBe(1)
  for (let look = 0; look < 3; look++) {
    expect(await dispatcher.backend('box')?.probe()).toMatchObject({ state: 'busy', models: ['m'] })
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(calls).toBe(1)
  leaving.abort()
  await waiting
})

test('health ends with the reason of its signal', async () => {
  await using dispatcher = createDispatcher({
    backends: [{ ...createKoboldBackend({ url: 'http://127.0.0.1:9' }), probe: () => new Promise(() => {}) }],
  })
  const leaving = new AbortController()
  const health = dispatcher.health(leaving.signal)
  leaving.abort(new Error('left'))
  await expect(health).rejects.toThrow('left')
  await expect(dispatcher.health(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
})

test('after a call that lost its connection, health asks again instead of showing an old probe', async () => {
  await using desk = await openDesk(
    [{ ...AT_ONCE, faults: [{ fault: 'empty_reply', endpoint: 'chat', times: 1 }] }],
    {
      attempts: 1,
      probeTimeoutMs: 60_000,
    },
  )
  expect(await desk.dispatcher.health()).toMatchObject({ backends: [{ state: 'ready' }] })
  expect(await desk.dispatcher.onEvent({ content: 'x' })).toMatchObject({ error: 'api_connection_error' })
  expect(await desk.dispatcher.health()).toMatchObject({ backends: [{ state: 'ready' }] })
})

test('a larger context behind the same port is asked for before a prompt is refused', async () => {
  const small = await startKoboldSimulator({ ...AT_ONCE, contextLength: 1_024 })
  const port = Number(new URL(small.url).port)
  await using dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: small.url })] })
  await dispatcher.health()
  await small.close()
  await using large = await startKoboldSimulator({ ...AT_ONCE, contextLength: 8_192, port })
  const content = 'one two three four five six seven eight nine ten '.repeat(150)
  expect(await dispatcher.onEvent({ content, parameters: { max_tokens: 8 } })).toHaveProperty('completion')
  expect(large.calls).toHaveLength(1)
})

test('an adapter that throws at once, or a logger that does, keeps no slot', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  const kobold = createKoboldBackend({ url: simulator.url })
  let throwing = true
  await using dispatcher = createDispatcher({
    backends: [
      {
        ...kobold,
        generate: (...given) => {
          if (throwing) throw new RangeError('a bug')
          return kobold.generate(...given)
        },
      },
    ],
  })
  expect(await dispatcher.onEvent({ content: 'x' })).toMatchObject({ error: 'internal_error' })
  expect(dispatcher.freeSlots()).toMatchObject([{ free: 1, concurrency: 1 }])
  throwing = false
  expect(await dispatcher.onEvent({ content: 'x' })).toHaveProperty('completion')
  expect(new BackendError('unsendable', 'x').stopped).toBe('not_sent')
})
