import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openServer } from './open-server.ts'

test('GET /backends shows state, slots, line, speeds and breaker', async () => {
  const answer = ({ text }: { text: string }) =>
    text.includes('long') ? 'word '.repeat(5_000) : 'Hello to you.'
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 100, abortReplyMs: 5, answer })
  await using dispatcher = createDispatcher({
    backends: [createKoboldBackend({ url: simulator.url })],
    lineCapacity: 50,
  })
  await using server = await openServer({ dispatcher })
  const look = async () => (await fetch(`${server.url}/backends`)).json()
  expect(await look()).toEqual({
    backends: [
      {
        name: 'kobold',
        state: 'unknown',
        models: [],
        concurrency: 1,
        in_flight: 0,
        breaker: 'closed',
        repeats_left: 10,
      },
    ],
    line: { waiting: 0, capacity: 50, eta_seconds: 0 },
  })
  for (let learned = 0; learned < 3; learned++) await dispatcher.onEvent({ content: 'Say hello.' })
  const leaving = new AbortController()
  const { signal } = leaving
  const long = { content: 'Tell a long story.', parameters: { max_tokens: 5_000 } }
  const running = Promise.allSettled([1, 2, 3].map(() => dispatcher.onEvent(long, { signal })))
  await simulator.waitForCall(4)
  expect(await look()).toMatchObject({
    backends: [
      {
        state: 'busy',
        in_flight: 1,
        latency_ms: expect.any(Number),
        prompt_tokens_per_second: expect.any(Number),
        completion_tokens_per_second: expect.any(Number),
      },
    ],
    line: { waiting: 2, oldest_ms: expect.any(Number), eta_seconds: expect.any(Number) },
  })
  leaving.abort()
  await running
})

test('GET /backends is not shown without a key where keys are set', async () => {
  await using dispatcher = createDispatcher({
    backends: [createKoboldBackend({ url: 'http://127.0.0.1:1' })],
  })
  await using server = await openServer({ dispatcher, apiKeys: ['a-key-that-is-long-enough'] })
  expect((await fetch(`${server.url}/backends`)).status).toBe(401)
})
