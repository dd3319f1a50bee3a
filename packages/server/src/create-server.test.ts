import type { LogFields, Logger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from '../test/fake-dispatcher.ts'
import { createServer } from '../test/judged-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })
const EVENT = { method: 'POST', url: '/event', payload: { content: 'Hi' } } as const

test.each([
  ['GET', '/nowhere', 404, 'not_found', undefined],
  ['POST', '/nowhere', 404, 'not_found', undefined],
  ['GET', '/event', 405, 'method_not_allowed', 'POST'],
  ['DELETE', '/event?x=1', 405, 'method_not_allowed', 'POST'],
  ['POST', '/health', 405, 'method_not_allowed', 'GET, HEAD'],
  ['GET', '/%zz', 400, 'invalid_request', undefined],
] as const)('%s %s is %i %s', async (method, url, status, code, allow) => {
  await using server = createServer({ dispatcher })
  const headers = { 'x-request-id': 'mine', 'content-type': 'application/json' }
  const reply = await server.inject({
    method,
    url,
    headers,
    ...(method === 'GET' ? {} : { payload: '{not json' }),
  })
  expect(reply.statusCode).toBe(status)
  expect(reply.headers.allow).toBe(allow)
  expect(reply.headers['x-request-id']).toBe('mine')
  expect(reply.json()).toEqual({ error: code, details: expect.any(String) })
  if (status !== 400) expect(reply.headers['x-content-type-options']).toBe('nosniff')
})

test.each(['mine', 'a.b_c:d-1', 'x'.repeat(128)])('echoes the request id %s', async (id) => {
  await using server = createServer({ dispatcher })
  const reply = await server.inject({ ...EVENT, headers: { 'x-request-id': id } })
  expect(reply.headers['x-request-id']).toBe(id)
})

test.each(['', 'two words', 'x'.repeat(129), '<script>', 'a,b', undefined])(
  'replaces the request id %s',
  async (id) => {
    await using server = createServer({ dispatcher })
    const reply = await server.inject({ ...EVENT, headers: id === undefined ? {} : { 'x-request-id': id } })
    expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  },
)

test('with keys, every address but the probes wants one', async () => {
  await using server = createServer({ dispatcher, apiKeys: ['one', 'two'] })
  const statusOf = async (request: object) => (await server.inject({ ...EVENT, ...request })).statusCode
  expect(await statusOf({})).toBe(401)
  expect(await statusOf({ url: '/nowhere' })).toBe(401)
  expect(await statusOf({ headers: { authorization: 'Bearer three' } })).toBe(401)
  expect(await statusOf({ headers: { authorization: 'Bearer two' } })).toBe(200)
  expect(await statusOf({ headers: { 'x-api-key': 'one', host: 'any.example' } })).toBe(200)
  expect((await server.inject('/health')).statusCode).toBe(200)
  expect((await server.inject('/%6civez')).statusCode).toBe(401)
})

test('who has no key learns how to send one', async () => {
  await using server = createServer({ dispatcher, apiKeys: ['one'] })
  const reply = await server.inject(EVENT)
  expect(reply.headers['www-authenticate']).toBe('Bearer')
  expect(reply.json()).toEqual({ error: 'unauthorised', details: expect.stringContaining('X-API-Key') })
})

test('one key is one caller, wherever it calls from', async () => {
  const desk = fakeDispatcher({ onEvent: async () => SUCCESS })
  await using server = createServer({ dispatcher: desk, apiKeys: ['one', 'two'] })
  for (const key of ['one', 'one', 'two']) await server.inject({ ...EVENT, headers: { 'x-api-key': key } })
  const [first, second, third] = desk.calls.map(({ options }) => options.caller)
  expect(first).toBe(second)
  expect(first).not.toBe(third)
})

test('X-Forwarded-For counts only from a proxy that is trusted', async () => {
  const desk = fakeDispatcher({ onEvent: async () => SUCCESS })
  await using wary = createServer({ dispatcher: desk })
  await using behindProxy = createServer({ dispatcher: desk, trustProxy: ['127.0.0.0/8'] })
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  await wary.inject({ ...EVENT, headers })
  await behindProxy.inject({ ...EVENT, headers })
  expect(desk.calls.map(({ options }) => options.caller)).toEqual(['127.0.0.1', '203.0.113.7'])
})

test('without keys, answers only to names of its own', async () => {
  await using server = createServer({ dispatcher, allowedHosts: ['Desk.lan:80'] })
  const statusOf = async (host: string) => (await server.inject({ ...EVENT, headers: { host } })).statusCode
  expect(await statusOf('localhost:5000')).toBe(200)
  expect(await statusOf('127.0.0.1')).toBe(200)
  expect(await statusOf('desk.lan:5000')).toBe(200)
  expect(await statusOf('evil.example')).toBe(403)
  expect(await statusOf('localhost:5000')).toBe(200)
  expect((await server.inject({ url: '/livez', headers: { host: 'evil.example' } })).statusCode).toBe(200)
})

test('no line is made that the logger would drop', async () => {
  const lines: string[] = []
  const write = (message: string) => void lines.push(message)
  const logger: Logger = {
    isEnabled: (level) => level === 'warn' || level === 'error',
    debug: write,
    info: write,
    warn: write,
    error: write,
  }
  const onEvent = async () => {
    throw new Error('bug')
  }
  await using server = createServer({ dispatcher: fakeDispatcher({ onEvent }), logger })
  await server.inject('/livez')
  await server.inject('/backends')
  expect(lines).toEqual([])
  await server.inject(EVENT)
  expect(lines).toEqual(['request failed'])
})

test('a line for every request, with its id, and never a header or a query', async () => {
  const lines: [string, string, LogFields | undefined][] = []
  const method = (level: string) => (message: string, fields?: LogFields) => {
    lines.push([level, message, fields])
  }
  const logger: Logger = {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  }
  const onEvent = async (event: unknown) => {
    if (event === null) throw new Error('bug')
    return SUCCESS
  }
  await using server = createServer({ dispatcher: fakeDispatcher({ onEvent }), logger, apiKeys: ['sesame'] })
  server.get('/mine', (request) => {
    request.log.info({ req: request }, 'from a route')
    return 'ok'
  })
  server.get('/metrics', () => 'up 1')
  const headers = { authorization: 'Bearer sesame', 'x-request-id': 'r1', 'content-type': 'application/json' }
  await server.inject({ ...EVENT, headers, url: '/event?token=sesame' })
  await server.inject({ ...EVENT, headers, payload: 'null' })
  await server.inject({ url: '/mine', headers })
  await server.inject('/livez')
  await server.inject({ url: '/metrics', headers })
  expect(lines.map(([level, message, fields]) => [level, message, fields?.status])).toEqual([
    ['debug', 'request', 200],
    ['error', 'request failed', undefined],
    ['debug', 'request', 500],
    ['info', 'from a route', undefined],
    ['info', 'request', 200],
    ['debug', 'request', 200],
    ['debug', 'request', 200],
  ])
  expect(lines.slice(0, 5).every(([, , fields]) => fields?.request_id === 'r1')).toBe(true)
  expect(lines[0]?.[2]).toMatchObject({ method: 'POST', path: '/event', duration_ms: expect.any(Number) })
  expect(JSON.stringify(lines)).not.toContain('sesame')
})

test('a bad option stops the start and names itself', () => {
  expect(() => createServer({ dispatcher, bodyLimitBytes: -1 })).toThrow(/^bodyLimitBytes/)
})
