import { createVirtualClock } from '@ai-ticket/testkit'
import type { InjectOptions } from 'fastify'
import { expect, test } from 'vitest'
import { createMetrics } from '../src/metrics/create-metrics.ts'
import type { ServerOptions } from '../src/options.ts'
import { fakeDispatcher, SUCCESS, streamOf } from './fake-dispatcher.ts'
import { createServer } from './judged-server.ts'

const dispatcher = fakeDispatcher({
  onEvent: async () => SUCCESS,
  streamEvent: () => streamOf({ type: 'admitted', id: 'evt_1' }, { type: 'done', outcome: SUCCESS }),
})
const TWO = { requests: 2, windowMs: 10_000 }
const EVENT = { method: 'POST', url: '/event', payload: { content: 'Hi' } } as const

function open(options: Partial<ServerOptions> = {}) {
  const clock = createVirtualClock()
  const server = createServer({ dispatcher, clock, rateLimit: TWO, ...options })
  const ask = (request: InjectOptions = EVENT) => server.inject(request)
  const asked = async (count: number, request: InjectOptions = EVENT) => {
    const statuses: number[] = []
    for (let done = 0; done < count; done += 1) statuses.push((await ask(request)).statusCode)
    return statuses
  }
  return { clock, ask, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

test('beyond the limit an event is refused, and let in when Retry-After has passed', async () => {
  await using desk = open()
  const first = await desk.ask()
  expect(first.headers).toMatchObject({
    'ratelimit-policy': '"requests";q=2;w=10',
    ratelimit: '"requests";r=1;t=5',
  })
  expect(first.headers).not.toHaveProperty('x-ratelimit-limit-requests')
  await desk.ask()
  const refused = await desk.ask()
  expect(refused.statusCode).toBe(429)
  expect(refused.json()).toEqual({ error: 'rate_limited', details: expect.stringContaining('Retry-After') })
  expect(refused.headers).toMatchObject({ 'retry-after': '5', ratelimit: '"requests";r=0;t=5' })
  await desk.clock.advance(5_000)
  expect(await desk.asked(2)).toEqual([200, 429])
})

test("OpenAI's clients hear it in their words", async () => {
  await using desk = open({ rateLimit: { requests: 1, windowMs: 60_000 } })
  const request = {
    ...EVENT,
    url: '/v1/chat/completions',
    payload: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
  }
  const first = await desk.ask(request)
  expect(first.headers).toMatchObject({
    'x-ratelimit-limit-requests': '1',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1m0s',
  })
  const refused = await desk.ask(request)
  expect(refused.statusCode).toBe(429)
  expect(refused.json().error).toMatchObject({ type: 'rate_limit_error', code: 'rate_limited' })
  expect(refused.headers).toMatchObject({ 'retry-after': '60', 'x-should-retry': 'true' })
})

test('a stream counts once and carries the fields', async () => {
  await using desk = open()
  const stream = await desk.ask({ ...EVENT, headers: { accept: 'text/event-stream' } })
  expect(stream.headers).toMatchObject({ ratelimit: '"requests";r=1;t=5' })
  expect(await desk.asked(2)).toEqual([200, 429])
})

test('probes and metrics are never refused; wrong addresses count', async () => {
  await using desk = open({ metrics: await createMetrics({ version: '1' }) })
  for (const url of ['/health', '/livez', '/readyz', '/metrics']) {
    expect(await desk.asked(4, { url })).toEqual([200, 200, 200, 200])
    expect((await desk.ask({ url })).headers).not.toHaveProperty('ratelimit')
  }
  expect(await desk.asked(3, { url: '/nowhere' })).toEqual([404, 404, 429])
})

test('each address counts for itself', async () => {
  await using desk = open()
  expect(await desk.asked(3)).toEqual([200, 200, 429])
  expect(await desk.asked(1, { ...EVENT, remoteAddress: '10.0.0.7' })).toEqual([200])
})

test('keys of one name share a limit, a key may have its own or none, and wrong keys count for the address', async () => {
  await using desk = open({
    apiKeys: [
      { key: 'a1', name: 'a' },
      { key: 'a2', name: 'a' },
      { key: 'b', rateLimit: { requests: 1, windowMs: 10_000 } },
      { key: 'c', rateLimit: false },
    ],
  })
  const as = (key: string) => ({ ...EVENT, headers: { 'x-api-key': key } })
  expect(await desk.asked(2, as('a1'))).toEqual([200, 200])
  expect(await desk.asked(1, as('a2'))).toEqual([429])
  expect(await desk.asked(2, as('b'))).toEqual([200, 429])
  expect(await desk.asked(4, as('c'))).toEqual([200, 200, 200, 200])
  expect(await desk.asked(4, as('wrong'))).toEqual([401, 401, 429, 429])
})

test('a key may be the only one with a limit', async () => {
  await using desk = open({ rateLimit: false, apiKeys: ['a', { key: 'b', rateLimit: TWO }] })
  const as = (key: string) => ({ ...EVENT, headers: { 'x-api-key': key } })
  expect(await desk.asked(4, as('a'))).toEqual([200, 200, 200, 200])
  expect(await desk.asked(3, as('b'))).toEqual([200, 200, 429])
})
