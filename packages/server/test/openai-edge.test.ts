import { type Backend, createDispatcher, type StreamEvent } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { endlessStream, failureOutcome, fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { handClock } from './hand-clock.ts'
import { createServer } from './judged-server.ts'
import { openDesk } from './open-desk.ts'
import { openServer, openSocket, readUntil } from './open-server.ts'

const HI = { model: 'any', messages: [{ role: 'user', content: 'Hi' }] }
const CHAT = { method: 'POST', url: '/v1/chat/completions', payload: HI } as const
const STREAM = { ...CHAT, payload: { ...HI, stream: true } }
const JSON_TYPE = { 'content-type': 'application/json' }

const answering = () => fakeDispatcher({ onEvent: async () => SUCCESS })

const streaming = (...events: StreamEvent[]) => fakeDispatcher({ streamEvent: () => streamOf(...events) })

/** The four keys of OpenAI's errors. */
const errorOf = (code: string, more: object = {}) => ({
  error: { message: expect.any(String), type: 'invalid_request_error', param: null, code, ...more },
})

test.each([
  ['a wrong address', { ...CHAT, url: '/v1/embeddings' }, 404, 'not_found'],
  ['a wrong method', { method: 'GET', url: '/v1/chat/completions' }, 405, 'method_not_allowed'],
  ['a broken URL', { ...CHAT, url: '/v1/%zz' }, 400, 'invalid_request'],
  ['malformed JSON', { ...CHAT, headers: JSON_TYPE, payload: '{not json' }, 400, 'invalid_request'],
  ['no body', { method: 'POST', url: '/v1/completions' }, 400, 'invalid_input_format'],
  [
    'no JSON',
    { ...CHAT, headers: { 'content-type': 'text/plain' }, payload: 'Hi' },
    415,
    'unsupported_media_type',
  ],
  [
    'a body that is too large',
    { ...CHAT, payload: { ...HI, user: 'x'.repeat(2_000) } },
    413,
    'payload_too_large',
  ],
  ['a foreign Host', { ...CHAT, headers: { host: 'evil.example' } }, 403, 'forbidden'],
] as const)('%s is answered in the shape that OpenAI clients read', async (_what, request, status, code) => {
  await using server = createServer({ dispatcher: answering(), bodyLimitBytes: 1_000 })
  const headers = { 'x-request-id': 'mine', ...('headers' in request ? request.headers : {}) }
  const reply = await server.inject({ ...request, headers })
  expect(reply.statusCode).toBe(status)
  expect(reply.json()).toEqual(errorOf(code, status === 403 ? { type: 'permission_error' } : {}))
  expect(reply.headers['x-request-id']).toBe('mine')
})

test('without a key: 401 invalid_api_key, wherever under /v1', async () => {
  await using server = createServer({ dispatcher: answering(), apiKeys: ['sesame'] })
  for (const url of ['/v1/models', '/v1/nowhere', '/v1']) {
    const reply = await server.inject(url)
    expect(reply.statusCode).toBe(401)
    expect(reply.headers['www-authenticate']).toBe('Bearer')
    expect(reply.json()).toEqual(errorOf('invalid_api_key'))
  }
})

test('what the dispatcher throws stays in the log, and is not worth a repeat', async () => {
  const onEvent = () => Promise.reject(new Error('secret words'))
  await using server = createServer({ dispatcher: fakeDispatcher({ onEvent }) })
  const reply = await server.inject(CHAT)
  expect(reply.statusCode).toBe(500)
  expect(reply.headers['x-should-retry']).toBe('false')
  expect(reply.json()).toEqual(errorOf('internal_error', { type: 'server_error' }))
  expect(reply.body).not.toContain('secret')
})

test('the desk hears who asks, and which request it was', async () => {
  const dispatcher = answering()
  await using server = createServer({ dispatcher, apiKeys: ['sesame'] })
  const headers = { authorization: 'Bearer sesame', 'x-request-id': 'mine' }
  const reply = await server.inject({ ...CHAT, headers })
  expect(reply.headers['x-request-id']).toBe('mine')
  expect(dispatcher.calls[0]?.options).toMatchObject({
    caller: expect.stringMatching(/^key_/),
    logFields: { request_id: 'mine' },
    door: 'openai',
  })
})

test.each([
  ['capacity_exceeded', 503, '7', 'true'],
  ['shutting_down', 503, '7', 'true'],
  ['api_server_error', 502, '7', 'false'],
  ['context_length_exceeded', 400, '7', undefined],
] as const)('a stream refused with %s has its status', async (code, status, retryAfter, shouldRetry) => {
  const outcome = failureOutcome(code, { retry_after_ms: 7_000 })
  const dispatcher = streaming({ type: 'admitted', id: 'evt_1' }, { type: 'error', outcome })
  await using server = createServer({ dispatcher })
  const reply = await server.inject(STREAM)
  expect(reply.statusCode).toBe(status)
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(reply.headers['retry-after']).toBe(retryAfter)
  expect(reply.headers['x-should-retry']).toBe(shouldRetry)
  expect(reply.json()).toMatchObject({ error: { code } })
})

test.each([
  ['breaks off', () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'delta', text: 'Hel' })],
  [
    'throws',
    async function* (): AsyncGenerator<StreamEvent> {
      yield { type: 'delta', text: 'Hel' }
      throw new Error('secret words')
    },
  ],
])('a stream that %s ends with an error and without [DONE]', async (_how, streamEvent) => {
  await using server = createServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const { body, headers } = await server.inject(STREAM)
  expect(headers['content-type']).toBe('text/event-stream; charset=utf-8')
  const last = body.trim().split('\n\n').at(-1) ?? ''
  expect(JSON.parse(last.slice('data: '.length))).toEqual(errorOf('internal_error', { type: 'server_error' }))
  expect(body).not.toMatch(/DONE|secret/)
})

const rawStream = () => {
  const body = JSON.stringify(STREAM.payload)
  const head = `POST ${STREAM.url} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`
  return `${head}content-length: ${body.length}\r\n\r\n${body}`
}

test('not a byte before the first text; from then on pings', async () => {
  const goOn = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  const streamEvent = async function* (): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    waiting.resolve()
    await goOn.promise
    yield { type: 'delta', text: 'Hi' }
    await new Promise(() => {})
  }
  const clock = handClock()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }), clock })
  const socket = await openSocket(desk.port)
  const firstText = readUntil(socket, '"content":"Hi"')
  socket.write(rawStream())
  await waiting.promise
  expect(socket.bytesRead).toBe(0)
  goOn.resolve()
  expect(await firstText).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  const ping = readUntil(socket, ': ping\n\n')
  clock.fire()
  await ping
  socket.destroy()
})

test('a slow reader slows the events; who hangs up ends them', async () => {
  const { streamEvent, made, ended } = endlessStream()
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const socket = await openSocket(desk.port)
  socket.pause()
  socket.write(rawStream())
  let madeBefore = 0
  const stoodStill = () => {
    const still = made() > 0 && made() === madeBefore
    madeBefore = made()
    return still
  }
  await expect.poll(stoodStill, { interval: 100 }).toBe(true)
  socket.destroy()
  await ended
})

/** A server for text and nothing else. */
const plainBackend: Backend = {
  name: 'plain',
  endpoints: [{ name: 'text', turns: false, images: false, tools: false, schema: false }],
  async *generate() {
    yield { type: 'end', text: 'Hi.', finish_reason: 'stop', raw_finish_reason: 'stop' }
  },
  probe: async () => ({ models: ['plain'] }),
  close: async () => {},
}

test.each([
  ['tools', /plain takes no tools\./, { tools: [{ type: 'function', function: { name: 'now' } }] }],
  [
    'an image',
    /plain takes no images\./,
    {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
          ],
        },
      ],
    },
  ],
])('%s that no backend can carry is refused, not dropped', async (_what, words, asked) => {
  await using dispatcher = createDispatcher({ backends: [plainBackend] })
  await using server = createServer({ dispatcher })
  const reply = await server.inject({ ...CHAT, payload: { ...HI, ...asked } })
  expect(reply.statusCode).toBe(400)
  expect(reply.json()).toEqual(errorOf('api_client_error', { message: expect.stringMatching(words) }))
})

test('a backend that answers in one piece streams in one piece', async () => {
  await using dispatcher = createDispatcher({ backends: [plainBackend] })
  await using server = createServer({ dispatcher })
  const { body } = await server.inject(STREAM)
  expect(body).toContain('"content":"Hi."')
  expect(body.endsWith('data: [DONE]\n\n')).toBe(true)
})

test.each(['/v1/chat/completions', '/event'])('what is empty is not handed on: %s', async (path) => {
  await using desk = await openDesk()
  const options = {
    tools: [],
    tool_choice: 'auto',
    stop: [],
    logit_bias: {},
    response_format: null,
    top_k: -1,
  }
  const body = path === '/event' ? { content: 'Hi', parameters: options } : { ...HI, ...options }
  const reply = await fetch(`${desk.url}${path}`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify(body),
  })
  expect(reply.status).toBe(200)
  const sent = desk.simulator.calls[0]?.body as Record<string, unknown>
  for (const name of ['tools', 'tool_choice', 'stop', 'logit_bias', 'response_format']) {
    expect(sent).not.toHaveProperty(name)
  }
  expect(sent.top_k).toBe(0)
})

test('an empty stop string is named by its place', async () => {
  await using desk = await openDesk()
  const reply = await fetch(`${desk.url}/v1/chat/completions`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify({ ...HI, stop: ['a', ''] }),
  })
  expect(reply.status).toBe(400)
  expect(await reply.text()).toMatch(/stop\[1\]` must not be empty/)
})
