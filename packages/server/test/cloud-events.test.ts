import { CloudEvent, HTTP, type Message } from 'cloudevents'
import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { eventRoutes } from '../src/routes/event.ts'
import { failureOutcome, fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'

const ATTRIBUTES = { specversion: '1.0', id: 'ce-1', source: '/mail', type: 'com.example.mail' }
const ORIGIN = { ce_id: 'ce-1', ce_source: '/mail', ce_type: 'com.example.mail' }
const HEADERS = {
  'ce-specversion': '1.0',
  'ce-id': 'ce-1',
  'ce-source': '/mail',
  'ce-type': 'com.example.mail',
}
const STRUCTURED = 'application/cloudevents+json'
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function openServer(outcome: typeof SUCCESS | ReturnType<typeof failureOutcome> = SUCCESS) {
  const dispatcher = fakeDispatcher({ onEvent: async () => outcome })
  const server = createServer({ dispatcher, bodyLimitBytes: 900_000 })
  const post = (headers: Record<string, string>, payload: string | Buffer | object) =>
    server.inject({
      method: 'POST',
      url: '/event',
      headers,
      payload: typeof payload === 'object' && !Buffer.isBuffer(payload) ? JSON.stringify(payload) : payload,
    })
  return { dispatcher, server, post, [Symbol.asyncDispose]: () => server.close() }
}

test.each([
  STRUCTURED,
  'application/cloudevents+json; charset=UTF-8',
  'application/cloudevents+json;charset=utf-8',
  'APPLICATION/CloudEvents+JSON',
])('takes structured mode as %s', async (type) => {
  await using server = openServer()
  const reply = await server.post({ 'content-type': type }, { ...ATTRIBUTES, data: { content: 'Hi' } })
  expect(reply.statusCode).toBe(200)
  expect(server.dispatcher.calls[0]?.event).toEqual({ content: 'Hi', id: 'ce-1', metadata: ORIGIN })
})

test.each([
  ['application/json', '{"content":"Hi","id":"mine"}', { content: 'Hi', id: 'mine' }],
  ['application/json', '"Hi"', { content: 'Hi', id: 'ce-1' }],
  ['text/plain; charset=utf-8', 'Hä?', { content: 'Hä?', id: 'ce-1' }],
  ['application/xml', '<a/>', { content: '<a/>', id: 'ce-1' }],
])('takes binary mode with %s', async (type, body, event) => {
  await using server = openServer()
  const reply = await server.post({ ...HEADERS, 'content-type': type }, body)
  expect(reply.statusCode).toBe(200)
  expect(server.dispatcher.calls[0]?.event).toEqual({ ...event, metadata: ORIGIN })
})

test.each([
  ['application/cloudevents+avro', ATTRIBUTES, 415, 'unsupported_media_type'],
  ['application/cloudevents', ATTRIBUTES, 415, 'unsupported_media_type'],
  ['application/cloudevents-batch+xml', [ATTRIBUTES], 415, 'unsupported_media_type'],
  ['application/cloudevents-batch+json', [{ ...ATTRIBUTES, data: 'Hi' }], 415, 'unsupported_media_type'],
  [STRUCTURED, { ...ATTRIBUTES, specversion: '0.3' }, 400, 'invalid_input_format'],
  [STRUCTURED, ATTRIBUTES, 400, 'missing_content_field'],
  [STRUCTURED, [], 400, 'invalid_input_format'],
  [STRUCTURED, '{', 400, 'invalid_request'],
  [STRUCTURED, '', 400, 'invalid_request'],
  [STRUCTURED, `{"data":${'['.repeat(64)}${']'.repeat(64)}}`, 400, 'invalid_input_format'],
  [STRUCTURED, { ...ATTRIBUTES, data: 'x'.repeat(900_000) }, 413, 'payload_too_large'],
  ['application/cloudevents-batch+json', {}, 400, 'invalid_input_format'],
  ['application/cloudevents-batch+json', Array(101).fill({}), 413, 'payload_too_large'],
])('%s %.40j is %i %s', async (type, body, status, code) => {
  await using server = openServer()
  const reply = await server.post({ 'content-type': type }, body)
  expect(reply.statusCode).toBe(status)
  expect(reply.json()).toEqual({ error: code, details: expect.stringMatching(/\.$/) })
})

test.each([
  [{ 'ce-source': '' }, 400, '`source`'],
  [{ 'ce-specversion': '0.3' }, 400, '`specversion`'],
  [{ 'ce-datacontenttype': 'text/plain' }, 400, '`ce-datacontenttype`'],
  [{ 'ce-data': 'a' }, 400, '`data`'],
  [{ 'ce-a_b': 'a' }, 400, '`a_b`'],
  [{ 'ce-subject': '%C0%A0' }, 400, '`ce-subject`'],
  [{ 'ce-time': 'now' }, 400, '`time`'],
  [{ 'content-type': 'image/png' }, 415, 'neither'],
  [{ 'content-encoding': 'gzip' }, 415, 'Content-Encoding'],
])('binary mode with %j is %i', async (more, status, words) => {
  await using server = openServer()
  const reply = await server.post({ ...HEADERS, 'content-type': 'text/plain', ...more }, 'Hi')
  expect(reply.statusCode).toBe(status)
  expect(reply.json().details).toContain(words)
})

test('one required header is enough to be read as a CloudEvent, and to hear which is missing', async () => {
  await using server = openServer()
  const reply = await server.post({ 'ce-specversion': '1.0', 'content-type': 'application/json' }, '{}')
  expect(reply.statusCode).toBe(400)
  expect(reply.json().details).toContain('`id`')
})

test('a page elsewhere cannot send a text without asking first', async () => {
  await using server = openServer()
  expect((await server.post({ 'content-type': 'text/plain' }, 'Hi')).statusCode).toBe(415)
  expect((await server.post({}, 'Hi')).statusCode).toBe(415)
})

test('reads what the SDK writes, and the SDK reads what comes back: structured', async () => {
  await using server = openServer()
  const asked = new CloudEvent({
    ...ATTRIBUTES,
    data: { prompt: 'Hi' },
    correlationid: 'c-1',
    traceparent: TRACE,
  })
  const { headers, body } = HTTP.structured(asked)
  const reply = await server.post(headers as Record<string, string>, String(body))
  expect(server.dispatcher.calls[0]).toMatchObject({
    event: { content: { prompt: 'Hi' }, id: 'ce-1' },
    options: { headers: { traceparent: TRACE } },
  })
  expect(reply.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
  // The SDK knows the type without parameters only.
  const answer = HTTP.toEvent({ headers: { 'content-type': STRUCTURED }, body: reply.body }) as CloudEvent
  expectAnswer(answer, { traceparent: TRACE, correlationid: 'c-1' })
})

test('reads what the SDK writes, and the SDK reads what comes back: binary', async () => {
  await using server = openServer()
  const asked = new CloudEvent({
    ...ATTRIBUTES,
    datacontenttype: 'text/plain',
    data: 'Hi',
    correlationid: 'c-1',
  })
  const { headers, body } = HTTP.binary(asked)
  const reply = await server.post(headers as Record<string, string>, String(body))
  expect(server.dispatcher.calls[0]?.event).toMatchObject({ content: 'Hi', id: 'ce-1' })
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(reply.json()).toEqual(SUCCESS)
  expectAnswer(HTTP.toEvent(reply as unknown as Message) as CloudEvent, { correlationid: 'c-1' })
})

test('the SDK gives bytes as Base64, and they are the text', async () => {
  await using server = openServer()
  const data_base64 = Buffer.from('Hä?').toString('base64')
  const asked = new CloudEvent({ ...ATTRIBUTES, datacontenttype: 'text/plain', data_base64 })
  const { headers, body } = HTTP.structured(asked)
  await server.post(headers as Record<string, string>, String(body))
  expect(server.dispatcher.calls[0]?.event).toMatchObject({ content: 'Hä?' })
})

function expectAnswer(answer: CloudEvent, more: Record<string, string>) {
  expect(answer.validate()).toBe(true)
  expect(answer).toMatchObject({
    type: 'dev.aiticket.event.completed.v1',
    source: 'http://localhost:80/event',
    subject: 'evt_1',
    causationid: 'ce-1',
    datacontenttype: expect.stringContaining('application/json'),
    ...more,
  })
  expect(answer.id).not.toBe('ce-1')
  expect(answer.data).toEqual(SUCCESS)
}

test('a failure is a CloudEvent of its own type, with the status of its code', async () => {
  await using server = openServer(failureOutcome('api_rate_limited', { retry_after_ms: 2_400 }))
  const reply = await server.post({ 'content-type': STRUCTURED }, { ...ATTRIBUTES, data: 'Hi' })
  expect(reply.statusCode).toBe(503)
  expect(reply.headers['retry-after']).toBe('3')
  expect(reply.json()).toMatchObject({
    type: 'dev.aiticket.event.failed.v1',
    data: { error: 'api_rate_limited' },
  })
})

test('an id that is no ASCII comes back encoded in a header', async () => {
  await using server = openServer()
  const reply = await server.post(
    { ...HEADERS, 'ce-id': 'Euro%20%E2%82%AC', 'content-type': 'text/plain' },
    'Hi',
  )
  expect(reply.headers['ce-causationid']).toBe('Euro%20%E2%82%AC')
  expect(server.dispatcher.calls[0]?.event).toMatchObject({ id: 'Euro €' })
})

test('the header traceparent wins over the extension, one that is wrong does not', async () => {
  await using server = openServer()
  const own = TRACE.replaceAll('b7', 'c8')
  const body = { ...ATTRIBUTES, data: 'Hi', traceparent: TRACE, tracestate: 'a=b' }
  await server.post({ 'content-type': STRUCTURED, traceparent: own }, body)
  await server.post({ 'content-type': STRUCTURED, traceparent: 'wrong' }, body)
  const [first, second] = server.dispatcher.calls
  expect(first?.options.headers).toEqual({ traceparent: own })
  expect(second?.options.headers).toEqual({ traceparent: TRACE, tracestate: 'a=b' })
})

test('a stream stays a stream', async () => {
  const streamEvent = () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'done', outcome: SUCCESS })
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const headers = { 'content-type': STRUCTURED, accept: 'text/event-stream' }
  const payload = JSON.stringify({ ...ATTRIBUTES, data: 'Hi' })
  const reply = await server.inject({ method: 'POST', url: '/event', headers, payload })
  expect(reply.body).toBe(`event: done\ndata: ${JSON.stringify(SUCCESS)}\n\n`)
})

test('works in an app of ones own', async () => {
  const app = fastify()
  await app.register(eventRoutes, { dispatcher: fakeDispatcher({ onEvent: async () => SUCCESS }) })
  const headers = { ...HEADERS, 'content-type': 'text/plain' }
  const reply = await app.inject({ method: 'POST', url: '/event', headers, payload: 'Hi' })
  expect(reply.headers['ce-type']).toBe('dev.aiticket.event.completed.v1')
  await app.close()
})

test.each<[what: string, body: unknown, code: string, type: string]>([
  ['a CloudEvent', { ...ATTRIBUTES, data: { content: 'Hi' } }, 'missing_content_field', STRUCTURED],
  ['one with data in base64', { ...ATTRIBUTES, data_base64: 'SGk=' }, 'missing_content_field', STRUCTURED],
  [
    'one of version 0.3',
    { specversion: '0.3', type: 'mail', data: 'Hi' },
    'missing_content_field',
    STRUCTURED,
  ],
  ['a batch', [{ ...ATTRIBUTES, data: 'Hi' }], 'invalid_input_format', 'application/cloudevents-batch+json'],
])('%s as application/json is told which content type it needs', async (_what, body, code, type) => {
  await using server = openServer()
  for (const contentType of ['application/json', 'application/json; charset=utf-8']) {
    const reply = await server.post({ 'content-type': contentType }, body as object)
    expect(reply.statusCode).toBe(400)
    expect(reply.json()).toEqual({
      error: code,
      details: expect.stringMatching(/^The body looks like a (CloudEvent|batch of CloudEvents)\. /),
    })
    expect(reply.json().details).toContain(`\`Content-Type: ${type}\``)
  }
  expect(server.dispatcher.calls).toEqual([])
})

test.each([
  ['with a content', { ...ATTRIBUTES, content: 'Hi' }, SUCCESS],
  [
    'with a version of its own',
    { specversion: '1.0', prompt: 'Hi' },
    failureOutcome('missing_content_field'),
  ],
  ['that is a list', [{ content: 'Hi' }], failureOutcome('invalid_input_format')],
  ['that is an empty list', [], failureOutcome('invalid_input_format')],
])('an event %s is no CloudEvent: the desk judges it', async (_what, body, outcome) => {
  await using server = openServer(outcome)
  const reply = await server.post({ 'content-type': 'application/json' }, body)
  expect(reply.json()).toEqual(outcome)
  expect(server.dispatcher.calls[0]?.event).toEqual(body)
})
