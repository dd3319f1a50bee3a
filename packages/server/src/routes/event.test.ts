import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { failureOutcome, fakeDispatcher, SUCCESS, streamOf } from '../../test/fake-dispatcher.ts'
import { createServer } from '../../test/judged-server.ts'
import { eventRoutes } from './event.ts'

const answering = (outcome = SUCCESS) => fakeDispatcher({ onEvent: () => Promise.resolve(outcome) })
const JSON_TYPE = { 'content-type': 'application/json' }

test('an event is answered with the outcome itself', async () => {
  const dispatcher = answering()
  await using server = createServer({ dispatcher })
  const reply = await server.inject({ method: 'POST', url: '/event', payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(reply.json()).toEqual(SUCCESS)
  expect(dispatcher.calls[0]).toMatchObject({
    event: { content: 'Hi' },
    options: {
      caller: '127.0.0.1',
      door: 'event',
      logFields: { request_id: reply.headers['x-request-id'] },
    },
  })
})

test.each(['null', '7', '"text"', '[]', '{}'])(
  'the event %s is for the dispatcher to judge',
  async (payload) => {
    const dispatcher = fakeDispatcher({ onEvent: async () => failureOutcome('missing_content_field') })
    await using server = createServer({ dispatcher })
    const reply = await server.inject({ method: 'POST', url: '/event', headers: JSON_TYPE, payload })
    expect(reply.statusCode).toBe(400)
    expect(reply.json()).toEqual(failureOutcome('missing_content_field'))
    expect(dispatcher.calls[0]?.event).toEqual(JSON.parse(payload))
  },
)

test('a failure says when to come back', async () => {
  const outcome = failureOutcome('api_rate_limited', { retry_after_ms: 2_400 })
  await using server = createServer({ dispatcher: fakeDispatcher({ onEvent: async () => outcome }) })
  const reply = await server.inject({ method: 'POST', url: '/event', payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(503)
  expect(reply.headers['retry-after']).toBe('3')
  expect(reply.json()).toEqual(outcome)
})

test.each([
  ['text/plain', 'hi', 415, 'unsupported_media_type'],
  ['application/x-www-form-urlencoded', 'content=hi', 415, 'unsupported_media_type'],
  ['application/jsonx', '{}', 415, 'unsupported_media_type'],
  ['nonsense', '{}', 415, 'unsupported_media_type'],
  ['application/json', '{"content":', 400, 'invalid_request'],
  ['application/json', '', 400, 'invalid_request'],
  ['application/json', '{"__proto__":{}}', 400, 'invalid_request'],
  ['application/json', '['.repeat(50_000) + ']'.repeat(50_000), 400, 'invalid_input_format'],
  ['application/json', `"${'x'.repeat(1_000_000)}"`, 413, 'payload_too_large'],
])('%s %.20s is %i %s', async (type, payload, status, code) => {
  await using server = createServer({ dispatcher: fakeDispatcher(), bodyLimitBytes: 900_000 })
  const reply = await server.inject({
    method: 'POST',
    url: '/event',
    headers: { 'content-type': type, 'x-request-id': 'mine' },
    payload,
  })
  expect(reply.statusCode).toBe(status)
  expect(reply.headers['x-request-id']).toBe('mine')
  expect(reply.json()).toEqual({ error: code, details: expect.stringMatching(/\.$/) })
})

test('no body at all is an empty body', async () => {
  await using server = createServer({ dispatcher: fakeDispatcher() })
  const reply = await server.inject({ method: 'POST', url: '/event' })
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toMatchObject({ error: 'invalid_request', details: expect.stringContaining('empty') })
})

test('a compressed body is refused', async () => {
  await using server = createServer({ dispatcher: fakeDispatcher() })
  const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: 'zip' })
  expect(reply.json()).toMatchObject({
    error: 'unsupported_media_type',
    details: expect.stringContaining('Encoding'),
  })
})

test.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.event+json'])(
  'takes %s',
  async (type) => {
    await using server = createServer({ dispatcher: answering() })
    const headers = { 'content-type': type }
    const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: '{"content":"Hi"}' })
    expect(reply.statusCode).toBe(200)
  },
)

test('what the dispatcher throws stays in the log', async () => {
  const onEvent = () => Promise.reject(new Error('secret words'))
  await using server = createServer({ dispatcher: fakeDispatcher({ onEvent }) })
  const reply = await server.inject({ method: 'POST', url: '/event', payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(500)
  expect(reply.json()).toEqual({ error: 'internal_error', details: expect.not.stringContaining('secret') })
})

test('a stream has the head, the deltas and the outcome', async () => {
  const streamEvent = () =>
    streamOf(
      { type: 'admitted', id: 'evt_1' },
      { type: 'delta', text: 'Hel\nlo' },
      { type: 'delta', text: '', reasoning: 'hm' },
      { type: 'done', outcome: SUCCESS },
    )
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { accept: 'text/event-stream', 'x-request-id': 'mine' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(200)
  expect(reply.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-request-id': 'mine',
  })
  expect(reply.body).toBe(
    'event: delta\ndata: {"text":"Hel\\nlo"}\n\n' +
      'event: delta\ndata: {"text":"","reasoning":"hm"}\n\n' +
      `event: done\ndata: ${JSON.stringify(SUCCESS)}\n\n`,
  )
})

test('a stream refused before admission is plain JSON with its status', async () => {
  const outcome = failureOutcome('capacity_exceeded', { retry_after_ms: 7_000 })
  const streamEvent = () => streamOf({ type: 'error', outcome })
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { accept: 'text/event-stream' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(503)
  expect(reply.headers['retry-after']).toBe('7')
  expect(reply.json()).toEqual(outcome)
})

test('a stream that fails after admission says so in band, with the status it would have had', async () => {
  const outcome = failureOutcome('api_timeout', { partial: 'Hel' })
  const streamEvent = () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'error', outcome })
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { accept: 'text/event-stream' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: { content: 'Hi' } })
  const { error, details, ...rest } = outcome
  const data = JSON.stringify({ error, details, status: 504, ...rest })
  expect(reply.body).toBe(`event: error\ndata: ${data}\n\n`)
})

test.each([
  ['breaks off', () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'delta', text: 'Hel' })],
  [
    'throws',
    async function* () {
      yield { type: 'delta', text: 'Hel' } as const
      throw new Error('secret words')
    },
  ],
])('a stream that %s still ends with an error', async (_how, streamEvent) => {
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { accept: 'text/event-stream' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: { content: 'Hi' } })
  expect(reply.body).toMatch(
    /^event: delta\n.*\n\nevent: error\ndata: \{"error":"internal_error",.*"status":500\}\n\n$/,
  )
  expect(reply.body).not.toContain('secret')
})

test.each([
  [
    'at once',
    () => {
      throw new Error('secret words')
    },
  ],
  [
    'before the first event',
    // biome-ignore lint/correctness/useYield: it is about throwing before any.
    async function* () {
      throw new Error('secret words')
    },
  ],
])('a stream that throws %s is plain JSON', async (_when, streamEvent) => {
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { accept: 'text/event-stream' }
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload: { content: 'Hi' } })
  expect(reply.statusCode).toBe(500)
  expect(reply.json()).toMatchObject({ error: 'internal_error' })
})

test('lives in an app of your own, without touching its other routes', async () => {
  await using app = fastify()
  app.register(eventRoutes, { dispatcher: answering(), callerOf: () => 'me', bodyLimitBytes: 1_000 })
  app.post('/echo', (request) => ({ got: request.body }))
  const event = await app.inject({ method: 'POST', url: '/event', payload: { content: 'Hi' } })
  const large = await app.inject({ method: 'POST', url: '/event', payload: { content: 'x'.repeat(2_000) } })
  const echo = await app.inject({
    method: 'POST',
    url: '/echo',
    headers: { 'content-type': 'text/plain' },
    payload: 'a',
  })
  expect(event.json()).toEqual(SUCCESS)
  expect(large.json()).toMatchObject({ error: 'payload_too_large' })
  expect(echo.json()).toEqual({ got: 'a' })
})
