import { startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const chat = (url: string, body: object = {}) =>
  fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) })

test('a function answers the calls that it picks, the others are generated', async () => {
  await using simulator = await startOpenAISimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  simulator.script(({ body }) => (body.model === 'busy' ? { status: 503 } : undefined))
  expect((await chat(simulator.url, { model: 'busy' })).status).toBe(503)
  expect((await chat(simulator.url, { model: 'free' })).status).toBe(200)
  expect((await chat(simulator.url, { model: 'busy' })).status).toBe(503)
  simulator.script([])
  expect((await chat(simulator.url, { model: 'busy' })).status).toBe(200)
})

test('it counts the most calls at once, and is silent as long as a script says', async () => {
  await using simulator = await startOpenAISimulator()
  simulator.script(() => ({ body: { late: true }, afterMs: 60 }))
  const startedAt = performance.now()
  const replies = await Promise.all([1, 2, 3].map(() => chat(simulator.url)))
  expect(performance.now() - startedAt).toBeGreaterThan(55)
  expect(await replies[0]?.json()).toEqual({ late: true })
  await chat(simulator.url)
  expect([simulator.maxRunning, simulator.running]).toEqual([3, 0])
})

test('it listens where it is told to', async () => {
  const first = await startOpenAISimulator()
  const port = Number(new URL(first.url).port)
  await first.close()
  await using second = await startOpenAISimulator({ port })
  expect(second.url).toBe(first.url)
})
