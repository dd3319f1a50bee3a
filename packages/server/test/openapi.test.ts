import { expect, test } from 'vitest'
import { HTTP_STATUS } from '../src/http/http-status.ts'
import { createMetrics } from '../src/metrics/create-metrics.ts'
import type { OpenApiDocument } from '../src/openapi/openapi-document.ts'
import type { ServerOptions } from '../src/options.ts'
import { VERSION } from '../src/version.ts'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })

/** Every operation of a document, with its path. */
function operationsOf(document: OpenApiDocument) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
}

async function documentOf(options: Partial<ServerOptions> = {}): Promise<OpenApiDocument> {
  await using server = createServer({ dispatcher, ...options })
  const key = options.apiKeys?.[0]
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const reply = await server.inject({ url: '/openapi.json', headers })
  expect(reply.statusCode).toBe(200)
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
  return reply.json()
}

test('every route says what it is', async () => {
  await using server = createServer({ dispatcher, metrics: await createMetrics() })
  await server.ready()
  const { routes } = server.openapi
  expect([...routes].filter(([, { describe }]) => !describe)).toEqual([])
  expect([...routes.keys()].sort()).toEqual([
    'GET /backends',
    'GET /health',
    'GET /livez',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'GET /v1/models',
    'GET /v1/models/*',
    'POST /event',
    'POST /v1/chat/completions',
    'POST /v1/completions',
  ])
})

test('what a server does not have is not described', async () => {
  expect((await documentOf()).paths).not.toHaveProperty('/metrics')
  expect((await documentOf({ metrics: await createMetrics() })).paths).toHaveProperty('/metrics')
})

test('a route of a plugin is described by the plugin, another one can add to it, and who says nothing is left out', async () => {
  await using server = createServer({ dispatcher })
  const openapi = () =>
    ({ operationId: 'getMine', summary: 'Mine', tag: 'Operations', answers: {}, failures: [] }) as const
  server.get('/mine/:id', { config: { openapi } }, () => 'mine')
  server.get('/silent', () => 'silent')
  server.openapi.extend('GET /mine/:id', (operation) => ({ ...operation, description: 'More of it.' }))
  const { paths }: OpenApiDocument = (await server.inject('/openapi.json')).json()
  expect(paths['/mine/{id}']?.get).toMatchObject({ operationId: 'getMine', description: 'More of it.' })
  expect(paths).not.toHaveProperty('/silent')
})

test('keys are asked for where there are keys, and never by probes', async () => {
  const open = await documentOf()
  expect(open).toMatchObject({ security: [], info: { version: VERSION } })
  expect(open.components).not.toHaveProperty('securitySchemes')
  expect(open.paths['/event']?.post?.responses).not.toHaveProperty('401')
  const guarded = await documentOf({ apiKeys: ['one'], version: '7.8.9' })
  expect(guarded).toMatchObject({
    info: { version: '7.8.9' },
    security: [{ bearer: [] }, { header: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  })
  expect(guarded.paths['/event']?.post?.responses).toHaveProperty('401')
  const security = Object.fromEntries(
    operationsOf(guarded).map(({ path, operation }) => [path, operation.security]),
  )
  expect(security).toMatchObject({
    '/livez': [],
    '/readyz': [],
    '/health': [],
    '/event': [{ bearer: ['events'] }, { header: ['events'] }],
    '/backends': [{ bearer: ['read'] }, { header: ['read'] }],
    '/openapi.json': [
      ...[{ bearer: ['events'] }, { header: ['events'] }],
      ...[{ bearer: ['read'] }, { header: ['read'] }],
    ],
  })
})

test('a limit is described where requests are counted', async () => {
  const metrics = await createMetrics()
  const codes = async (options: Partial<ServerOptions>) =>
    operationsOf(await documentOf({ metrics, ...options })).flatMap(({ path, operation }) =>
      '429' in operation.responses ? [path] : [],
    )
  expect(await codes({})).toEqual([])
  const counted = await codes({ rateLimit: { requests: 9, windowMs: 1_000 } })
  expect(counted).toEqual(expect.arrayContaining(['/event', '/v1/models', '/backends', '/openapi.json']))
  expect(counted).not.toContain('/metrics')
  expect(counted).not.toContain('/health')
})

test('a priority is asked by a header wherever an event comes in', async () => {
  const taking = operationsOf(await documentOf()).flatMap(({ path, operation }) => {
    const { parameters = [] } = operation as { parameters?: { name: string }[] }
    return parameters.some(({ name }) => name === 'X-Priority') ? [path] : []
  })
  expect(taking.toSorted()).toEqual(['/event', '/v1/chat/completions', '/v1/completions'])
})

test('the document wants a key like everything else', async () => {
  await using server = createServer({ dispatcher, apiKeys: ['one'] })
  expect((await server.inject('/openapi.json')).statusCode).toBe(401)
})

test('every failure code stands at its status', async () => {
  const { paths, components } = await documentOf()
  const { responses } = components as { responses?: Record<string, { content: Record<string, unknown> }> }
  const described = Object.entries(paths['/event']?.post?.responses ?? {}).flatMap(([status, given]) => {
    const response = responses?.[(given as { $ref?: string }).$ref?.split('/').at(-1) ?? '']
    const { enum: codes = [] } = response === undefined ? {} : enumOf(response.content)
    return codes.map((code) => [code, Number(status)])
  })
  // What only the address, the method or a plugin can fail with.
  const elsewhere = [
    ...['unauthorised', 'method_not_allowed', 'conflict', 'gone', 'rate_limited'],
    ...['idempotency_key_reused', 'callback_not_allowed'],
  ]
  const expected = Object.entries(HTTP_STATUS).filter(([code]) => !elsewhere.includes(code))
  expect(Object.fromEntries(described)).toEqual(Object.fromEntries(expected))
})

const enumOf = (content: Record<string, unknown>): { enum?: string[] } =>
  (
    content['application/json'] as {
      schema: { allOf: [object, { properties: { error: { enum: string[] } } }] }
    }
  ).schema.allOf[1].properties.error
