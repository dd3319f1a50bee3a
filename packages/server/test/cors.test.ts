import type { FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'
import { openServer } from './open-server.ts'

const PAGE = 'https://app.example.com'
const HI = { model: 'any', messages: [{ role: 'user', content: 'Hi' }] }

const dispatcher = fakeDispatcher({
  onEvent: async () => SUCCESS,
  streamEvent: () => streamOf({ type: 'delta', text: 'Hello.' }, { type: 'done', outcome: SUCCESS }),
})

/** As the official client asks from a page. */
const preflight = (url: string, origin = PAGE) =>
  ({
    method: 'OPTIONS',
    url,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-stainless-lang',
    },
  }) as const

test.each(['/v1/chat/completions', '/event', '/tickets/evt_1', '/nowhere', '/v1/models/'])(
  'a preflight to %s is answered before keys are asked for',
  async (url) => {
    await using server = createServer({ dispatcher, corsOrigins: [PAGE], apiKeys: ['sesame'] })
    const reply = await server.inject(preflight(url))
    expect(reply.statusCode).toBe(204)
    expect(reply.body).toBe('')
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': expect.stringMatching(/GET.*POST.*DELETE/),
      'access-control-allow-headers': 'authorization,content-type,x-stainless-lang',
      'access-control-max-age': expect.stringMatching(/^\d+$/),
      vary: expect.stringMatching(/origin/i),
    })
    expect(reply.headers).not.toHaveProperty('access-control-allow-credentials')
  },
)

test.each([
  ['an answer', { url: '/v1/chat/completions', authorization: 'Bearer sesame' }, 200],
  ['a stream', { url: '/v1/chat/completions', authorization: 'Bearer sesame', stream: true }, 200],
  ['no key', { url: '/v1/chat/completions' }, 401],
  ['no such address', { url: '/v1/nowhere', authorization: 'Bearer sesame' }, 404],
  ['a wrong body', { url: '/v1/completions', authorization: 'Bearer sesame' }, 400],
] as const)('%s can be read by the page', async (_what, { url, ...asked }, status) => {
  await using server = createServer({ dispatcher, corsOrigins: [PAGE], apiKeys: ['sesame'] })
  const { authorization, stream } = { authorization: undefined, stream: false, ...asked }
  const reply = await server.inject({
    method: 'POST',
    url,
    headers: { origin: PAGE, ...(authorization && { authorization }) },
    payload: { ...HI, stream },
  })
  expect(reply.statusCode).toBe(status)
  expect(reply.headers['access-control-allow-origin']).toBe(PAGE)
  expect(reply.headers['access-control-expose-headers']).toMatch(/x-request-id.*retry-after/)
  expect(reply.headers.vary).toMatch(/origin/i)
})

test.each([
  ['another page', 'https://evil.example.com'],
  ['the page by another scheme', 'http://app.example.com'],
  ['the page at another port', 'https://app.example.com:8443'],
  ['a page whose name ends the same', 'https://an-app.example.com'],
  ['a file', 'null'],
])('%s gets nothing', async (_who, origin) => {
  await using server = createServer({ dispatcher, corsOrigins: [PAGE], apiKeys: ['sesame'] })
  for (const request of [
    preflight('/v1/chat/completions', origin),
    { url: '/v1/models', headers: { origin, authorization: 'Bearer sesame' } },
  ]) {
    const reply = await server.inject(request)
    expect(reply.headers).not.toHaveProperty('access-control-allow-origin')
    expect(reply.headers.vary).toMatch(/origin/i)
  }
})

test('without the option nobody does', async () => {
  await using server = createServer({ dispatcher })
  const reply = await server.inject(preflight('/v1/chat/completions'))
  expect(reply.statusCode).toBe(405)
  expect(Object.keys(reply.headers).filter((name) => /^access|^vary/.test(name))).toEqual([])
})

test('preflights do not count for the rate limit', async () => {
  await using server = createServer({
    dispatcher,
    corsOrigins: [PAGE],
    rateLimit: { requests: 1, windowMs: 60_000 },
  })
  for (let index = 0; index < 3; index++) {
    expect((await server.inject(preflight('/v1/chat/completions'))).statusCode).toBe(204)
  }
  const headers = { origin: PAGE }
  const ask = () => server.inject({ method: 'POST', url: '/v1/chat/completions', headers, payload: HI })
  expect((await ask()).statusCode).toBe(200)
  const limited = await ask()
  expect(limited.statusCode).toBe(429)
  expect(limited.headers['access-control-allow-origin']).toBe(PAGE)
})

test('a page may ask a server in its own network', async () => {
  await using desk = await openServer({ dispatcher, corsOrigins: [PAGE] })
  const { method, headers } = preflight('/event')
  const reply = await fetch(`${desk.url}/event`, {
    method,
    headers: { ...headers, 'access-control-request-private-network': 'true' },
  })
  expect(reply.status).toBe(204)
  expect(reply.headers.get('access-control-allow-private-network')).toBe('true')
})

test.each([
  '*',
  'null',
  'app.example.com',
  'https://app.example.com/',
  'https://*.example.com',
  'https://A.b',
  '',
])('the origin "%s" is none', (origin) => {
  expect(() => createServer({ dispatcher, corsOrigins: [origin] })).toThrow(/corsOrigins\[0\]/)
})

test.each(['http://localhost:3000', 'app://obsidian.md', 'chrome-extension://abcdef', 'http://[::1]:8080'])(
  'the origin "%s" is one',
  async (origin) => {
    await using server = createServer({ dispatcher, corsOrigins: [origin] })
    const reply = await server.inject(preflight('/event', origin))
    expect(reply.headers['access-control-allow-origin']).toBe(origin)
  },
)

/** What `@fastify/cors` does: a hook that answers preflights, and a route for OPTIONS of any address. */
const corsOfAnother = async (instance: FastifyInstance) => {
  instance.addHook('onRequest', async (request, reply) => {
    reply.header('access-control-allow-origin', '*')
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method']) {
      return reply.code(204).send()
    }
    return undefined
  })
  instance.options('*', { config: {} }, async (_request, reply) => reply.code(404).send())
}
// As `fastify-plugin` does: for all routes.
Object.assign(corsOfAnother, { [Symbol.for('skip-override')]: true })

test("another's plugin works beside keys", async () => {
  await using server = createServer({ dispatcher, apiKeys: ['sesame'] })
  await server.register(corsOfAnother)
  const reply = await server.inject(preflight('/v1/chat/completions'))
  expect(reply.statusCode).toBe(204)
  expect(reply.headers['access-control-allow-origin']).toBe('*')
  // What is no preflight still needs a key.
  expect((await server.inject({ method: 'OPTIONS', url: '/v1/models' })).statusCode).toBe(401)
  expect((await server.inject('/v1/models')).statusCode).toBe(401)
})

test('and leaves unknown addresses unknown', async () => {
  await using server = createServer({ dispatcher })
  await server.register(corsOfAnother)
  expect((await server.inject('/nowhere')).statusCode).toBe(404)
  const wrong = await server.inject('/v1/chat/completions')
  expect(wrong.statusCode).toBe(405)
  expect(wrong.headers.allow).toBe('POST')
})
