import { type Health, silentLogger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { fakeDispatcher } from '../../test/fake-dispatcher.ts'
import { createServer } from '../../test/judged-server.ts'

const HEALTH: Health = {
  status: 'healthy',
  backends: [{ name: 'kobold', state: 'ready', models: ['tiny'], concurrency: 1, in_flight: 0 }],
  waiting: 0,
}
const dispatcher = fakeDispatcher({ health: async () => HEALTH })

test('/health shows the backends', async () => {
  await using server = createServer({ dispatcher, version: '1.2.3' })
  const reply = await server.inject('/health')
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toEqual({ ...HEALTH, version: '1.2.3' })
})

test('/health is 200 when no backend answers, and when nobody can say', async () => {
  const degraded = fakeDispatcher({ health: async () => ({ ...HEALTH, status: 'degraded' }) })
  const closed = fakeDispatcher({ health: () => Promise.reject(new Error('closed')) })
  await using first = createServer({ dispatcher: degraded })
  await using second = createServer({ dispatcher: closed })
  expect(await first.inject('/health')).toMatchObject({ statusCode: 200 })
  expect((await first.inject('/health')).json()).toMatchObject({ status: 'degraded' })
  expect(await second.inject('/health')).toMatchObject({ statusCode: 200 })
  expect((await second.inject('/health')).json()).toEqual({ status: 'degraded' })
})

test('/health says when the ticket store does not work, and that it does', async () => {
  await using server = createServer({ dispatcher, apiKeys: ['key'] })
  let problem: string | undefined = 'The disk is full.'
  server.healthChecks.ticketStore = async () => problem
  const headers = { 'x-api-key': 'key' }
  const full = await server.inject({ url: '/health', headers })
  expect((await server.inject('/health')).json()).toEqual({ status: 'degraded' })
  problem = undefined
  const works = await server.inject({ url: '/health', headers })
  expect(full.json()).toMatchObject({
    status: 'degraded',
    ticket_store: { status: 'unavailable', details: 'The disk is full.' },
  })
  expect(works.json()).toMatchObject({ status: 'healthy', ticket_store: { status: 'available' } })
})

test('/health logs why the ticket store could not be asked', async () => {
  const logged: unknown[] = []
  const logger = { ...silentLogger, warn: (...told: unknown[]) => void logged.push(told) }
  await using server = createServer({ dispatcher, logger })
  const error = new Error('a bug')
  server.healthChecks.ticketStore = () => Promise.reject(error)
  expect((await server.inject('/health')).json()).toMatchObject({
    status: 'degraded',
    ticket_store: { status: 'unavailable', details: 'The ticket store failed.' },
  })
  expect(logged).toEqual([['ticket store health unknown', { error }]])
})

test('/health keeps its detail from strangers', async () => {
  await using keyed = createServer({ dispatcher, apiKeys: ['key'] })
  await using open = createServer({ dispatcher })
  const withKey = await keyed.inject({ url: '/health', headers: { 'x-api-key': 'key' } })
  const rebound = await open.inject({ url: '/health', headers: { host: 'evil.example' } })
  expect((await keyed.inject('/health')).json()).toEqual({ status: 'healthy' })
  expect(withKey.json()).toEqual(HEALTH)
  expect(rebound.json()).toEqual({ status: 'healthy' })
})

test('/livez and /readyz ask no backend', async () => {
  const unhealthy = fakeDispatcher({ health: () => Promise.reject(new Error('asked')) })
  await using server = createServer({ dispatcher: unhealthy, apiKeys: ['key'] })
  expect(await server.inject('/livez')).toMatchObject({ statusCode: 200, body: 'ok' })
  expect(await server.inject('/readyz?verbose')).toMatchObject({ statusCode: 200, body: 'ok' })
  expect(await server.inject({ method: 'HEAD', url: '/livez' })).toMatchObject({ statusCode: 200, body: '' })
})

test('/readyz is 503 while its owner says so', async () => {
  let ready = false
  await using server = createServer({ dispatcher, ready: () => ready })
  const before = await server.inject('/readyz')
  ready = true
  const after = await server.inject('/readyz')
  expect(before.statusCode).toBe(503)
  expect(before.json()).toMatchObject({ error: 'shutting_down' })
  expect(after.statusCode).toBe(200)
})
