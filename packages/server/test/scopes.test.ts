import { expect, test } from 'vitest'
import { createMetrics } from '../src/metrics/create-metrics.ts'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })
const apiKeys = [
  { key: 'e', name: 'sender', scopes: ['events'] },
  { key: 'r', name: 'viewer', scopes: ['read'] },
  { key: 'er', name: 'both', scopes: ['events', 'read'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
  'plain',
] as const

const HI = { model: 'any', messages: [{ role: 'user', content: 'Hi' }] }

test.each([
  ['POST', '/event', { content: 'Hi' }, 'events'],
  ['POST', '/v1/chat/completions', HI, 'events'],
  ['POST', '/v1/completions', { model: 'any', prompt: 'Hi' }, 'events'],
  ['GET', '/v1/models', undefined, 'events'],
  ['HEAD', '/v1/models', undefined, 'events'],
  ['GET', '/backends', undefined, 'read'],
  ['GET', '/metrics', undefined, 'read'],
  ['GET', '/of-a-plugin', undefined, 'admin'],
] as const)('%s %s wants the scope', async (method, url, payload, scope) => {
  const metrics = await createMetrics({ version: '1' })
  await using server = createServer({ dispatcher, apiKeys, metrics })
  // A route that does not say who may ask is the operator's.
  server.get('/of-a-plugin', () => 'ok')
  const ask = (key: string) =>
    server.inject({ method, url, headers: { 'x-api-key': key }, ...(payload && { payload }) })
  const may: Record<string, string[]> = { events: ['e', 'er'], read: ['r', 'er'], admin: [] }
  for (const key of ['e', 'r', 'er', 'a', 'plain']) {
    const reply = await ask(key)
    const isAllowed = may[scope]?.includes(key) || key === 'a' || key === 'plain'
    expect([key, reply.statusCode]).toEqual([key, isAllowed ? 200 : 403])
    if (isAllowed || method === 'HEAD') continue
    const { error, details } = reply.json()
    const message = url.startsWith('/v1') ? error.message : details
    expect(url.startsWith('/v1') ? error.code : error).toBe('forbidden')
    expect(message).toBe(`This needs an API key with the scope \`${scope}\`.`)
  }
})

test('a wrong address is wrong for every key', async () => {
  await using server = createServer({ dispatcher, apiKeys })
  const ask = (method: 'GET' | 'POST', url: string) =>
    server.inject({ method, url, headers: { 'x-api-key': 'r' } })
  expect((await ask('GET', '/nowhere')).statusCode).toBe(404)
  expect((await ask('GET', '/event')).statusCode).toBe(405)
})

test('health keeps its detail for those who may read', async () => {
  await using server = createServer({ dispatcher, apiKeys })
  const ask = async (key: string) =>
    (await server.inject({ url: '/health', headers: { 'x-api-key': key } })).json()
  expect(await ask('e')).toEqual({ status: 'healthy' })
  expect(await ask('r')).toMatchObject({ status: 'healthy', backends: [] })
})
