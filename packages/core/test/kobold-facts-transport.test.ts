import { createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { ask, failureOf, replayed, requestOf, startRawServer, system, user } from './ask-kobold.ts'

// Facts 1 to 12: transport and paths. See kobold-facts.test.ts.

const fast = { tokensPerSecond: Number.POSITIVE_INFINITY }
const never = new AbortController().signal

test('fact 1: the native API lies under /api, the OpenAI one under /v1', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  for (const endpoint of ['chat', 'text', 'native'] as const) await ask(backend, { endpoint })
  expect(simulator.calls.map(({ path }) => path)).toEqual([
    '/v1/chat/completions',
    '/v1/completions',
    '/api/v1/generate',
  ])
})

test('fact 2: every answer closes its connection, and the next call gets a new one', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  for (let round = 0; round < 5; round++) expect((await ask(backend)).end.text).not.toBe('')
  await simulator.waitFor(({ openConnections }) => openConnections === 0)
})

test('fact 3: an answer with a content-length is not held up by a connection that stays open', async () => {
  const body = '{"results": [{"text": "hello", "finish_reason": "stop"}]}'
  const head = `HTTP/1.0 200 OK\r\ncontent-length: ${body.length}\r\ncontent-type: application/json\r\n\r\n`
  await using server = await startRawServer((socket) => socket.write(head + body))
  const backend = createKoboldBackend({ url: server.url })
  expect((await ask(backend, { endpoint: 'native' })).end.text).toBe('hello')
  await backend.close()
})

test('fact 3: an error answer has no content-length and ends with its connection', async () => {
  await using desk = await replayed('1.76', 'busy-503')
  expect(await failureOf(desk.backend, { endpoint: 'native' })).toMatchObject({ status: 503, reason: 'busy' })
})

test('fact 4: request bodies have a content-length and are never chunked', async () => {
  await using desk = await replayed('1.76', 'chat-normal')
  await ask(desk.backend)
  const [request] = desk.server.requests
  expect(request?.headers).toMatchObject({
    'content-length': `${Buffer.byteLength(request?.bodyText ?? '')}`,
  })
  expect(request?.headers).not.toHaveProperty('transfer-encoding')
})

test('the headers of a request reach the server', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  const [endpoint] = backend.endpoints
  if (!endpoint) throw new Error('no endpoint')
  const request = { ...requestOf({}), headers: { traceparent: '00-1-2-01' } }
  for await (const event of backend.generate(endpoint, request, { signal: never, stream: false })) {
    expect(event.type).toBe('end')
  }
  expect(simulator.calls[0]?.headers.traceparent).toBe('00-1-2-01')
})

test('fact 5: a body over 32 MB is not sent, and the error names the limit', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  const error = await failureOf(backend, { turns: [user('x'.repeat(33 * 1024 * 1024))] })
  expect(error).toMatchObject({ kind: 'invalid_request', stopped: 'not_sent' })
  expect(error.message).toContain('32 MB')
  expect(simulator.requests).toEqual([])
})

test('fact 6: the content-length counts bytes, not characters', async () => {
  await using desk = await replayed('1.115.1', 'chat-normal')
  await ask(desk.backend, { turns: [user('Zoë — “é😀”')] })
  const [request] = desk.server.requests
  expect(Number(request?.headers['content-length'])).toBe(Buffer.byteLength(request?.bodyText ?? ''))
  expect(request?.body).toMatchObject({ messages: [{ content: 'Zoë — “é😀”' }] })
})

test('fact 7: no connection is opened or kept without a request on it', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url })
  expect(simulator.openConnections).toBe(0)
  await backend.probe(never)
  await simulator.waitFor(({ openConnections }) => openConnections === 0)
})

test('fact 8: text escaped as \\u comes back as it was', async () => {
  await using desk = await replayed('1.76', 'stream-unicode')
  expect((await ask(desk.backend, { endpoint: 'native', stream: true })).end.text).toBe('Zoë — “é😀”')
})

test('fact 9: HEAD and OPTIONS answer 200 to anything, so a probe is GETs whose content is read', async () => {
  await using server = await startRawServer((socket) =>
    socket.end('HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  )
  const backend = createKoboldBackend({ url: server.url })
  await expect(backend.probe(never)).rejects.toMatchObject({ kind: 'wrong_shape' })
  expect(server.received.every((request) => request.startsWith('GET '))).toBe(true)
  await backend.close()
})

test.each([
  '',
  '/',
  '/api',
  '/api/',
  '/v1',
  '/v1/',
  '/api/v1',
  '/api/v1/generate',
  '/v1/chat/completions',
  '/#',
])('fact 10: the address with %s at its end is the same server', async (ending) => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: simulator.url + ending })
  await ask(backend, { endpoint: 'native' })
  await ask(backend, { endpoint: 'chat' })
  expect(simulator.calls.map(({ path }) => path)).toEqual(['/api/v1/generate', '/v1/chat/completions'])
})

test('fact 10: a path prefix is kept, for the server compares endings', async () => {
  await using simulator = await startKoboldSimulator(fast)
  const backend = createKoboldBackend({ url: `${simulator.url}/gpu/box-1/api/` })
  await ask(backend, { endpoint: 'native' })
  expect(simulator.calls[0]?.path).toBe('/gpu/box-1/api/v1/generate')
})

test('facts 11 and 12: no request has a query string, and none goes to the Ollama paths', async () => {
  await using simulator = await startKoboldSimulator({ ...fast, version: '1.76' })
  const backend = createKoboldBackend({ url: `${simulator.url}/api?key=1` })
  for (const stream of [false, true]) {
    for (const endpoint of ['chat', 'text', 'native'] as const) await ask(backend, { endpoint, stream })
  }
  await backend.probe(never)
  await backend.countTokens?.(requestOf({ turns: [system('Be brief.'), user('hi')] }), never)
  const paths = simulator.requests.map(({ path }) => path)
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.filter((path) => path.includes('?') || /^\/api\/(generate|chat)/.test(path))).toEqual([])
})
