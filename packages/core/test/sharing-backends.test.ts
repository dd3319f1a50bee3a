import type { Outcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const QUICK = { tokensPerSecond: 2_000, abortReplyMs: 5 }
const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const SLOW = { tokensPerSecond: 20, answer: () => 'word '.repeat(400), abortReplyMs: 5 }

const isAnswer = (outcome: Outcome) => outcome.error === undefined

test('24 events share two backends of one slot each: one at a time on both, all answered', async () => {
  await using desk = await openDesk([QUICK, QUICK])
  const [first, second] = desk.simulators
  const events = Array.from({ length: 24 }, (_, index) => ({ content: `Event ${index}`, id: `e${index}` }))
  const outcomes = await Promise.all(events.map((event) => desk.dispatcher.onEvent(event)))
  expect(outcomes.every(isAnswer)).toBe(true)
  expect(outcomes.map(({ id }) => id)).toEqual(events.map(({ id }) => id))
  expect(desk.simulators.map(({ maxRunning }) => maxRunning)).toEqual([1, 1])
  expect(desk.simulators.map(({ waiting }) => waiting)).toEqual([0, 0])
  expect(first.calls.length + (second?.calls.length ?? 0)).toBe(24)
  // Both work all the time: neither does more than two thirds.
  expect(Math.min(first.calls.length, second?.calls.length ?? 0)).toBeGreaterThanOrEqual(8)
})

test('who waits is served by priority, then by age', async () => {
  await using desk = await openDesk([QUICK])
  const order: string[] = []
  const send = async (id: string, priority: number) => {
    await desk.dispatcher.onEvent({ content: id, id, priority })
    order.push(id)
  }
  const first = send('first', 0)
  await desk.simulators[0].waitForCall(1)
  await Promise.all([first, send('low', -1), send('old', 0), send('young', 0), send('high', 1)])
  expect(order).toEqual(['first', 'high', 'old', 'young', 'low'])
})

test('24 events at once on two backends begin by priority, then by age', async () => {
  await using desk = await openDesk([QUICK, QUICK])
  const begun: string[] = []
  const events = Array.from({ length: 24 }, (_, index) => ({
    content: 'x',
    id: `${String(index).padStart(2, '0')}`,
    priority: index < 2 ? 0 : index % 3,
  }))
  const beforeCall = (id: string) => () => void begun.push(id)
  await Promise.all(
    events.map((event) => desk.dispatcher.onEvent(event, { beforeCall: beforeCall(event.id) })),
  )
  const [one, two, ...waited] = events
  const wanted = waited.toSorted((a, b) => b.priority - a.priority || Number(a.id) - Number(b.id))
  expect(begun).toEqual([one, two, ...wanted].map((event) => event?.id))
  expect(desk.simulators.map(({ maxRunning }) => maxRunning)).toEqual([1, 1])
})

test('callers of one priority take turns', async () => {
  await using desk = await openDesk([QUICK])
  const order: string[] = []
  const send = async (caller: string) => {
    await desk.dispatcher.onEvent({ content: caller }, { caller })
    order.push(caller)
  }
  const first = send('greedy')
  await desk.simulators[0].waitForCall(1)
  await Promise.all([first, ...['greedy', 'greedy', 'greedy', 'modest', 'modest'].map(send)])
  expect(order).toEqual(['greedy', 'greedy', 'modest', 'greedy', 'modest', 'greedy'])
})

test('a caller who leaves while waiting costs no backend call', async () => {
  await using desk = await openDesk([SLOW])
  const running = desk.dispatcher.onEvent({ content: 'long' })
  await desk.simulators[0].waitForCall(1)
  const leaving = new AbortController()
  const waiting = desk.dispatcher.onEvent({ content: 'never sent' }, { signal: leaving.signal })
  leaving.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
  await desk.dispatcher.close()
  expect(await running).toMatchObject({ error: 'shutting_down' })
  expect(desk.simulators[0].calls).toHaveLength(1)
})

test('a caller who leaves while it runs frees the slot long before its end', async () => {
  await using desk = await openDesk([SLOW])
  const leaving = new AbortController()
  const running = desk.dispatcher.onEvent({ content: 'long' }, { signal: leaving.signal })
  await desk.simulators[0].waitForCall(1)
  const next = desk.dispatcher.onEvent({ content: 'next', parameters: { max_tokens: 1 } })
  leaving.abort(new Error('gone'))
  await expect(running).rejects.toThrow('gone')
  expect(await next).toHaveProperty('completion')
  expect(desk.simulators[0].calls[0]).toMatchObject({ state: 'aborted' })
})

test('a full line refuses at once, and says when to come back', async () => {
  await using desk = await openDesk([SLOW], { lineCapacity: 1 })
  const running = desk.dispatcher.onEvent({ content: 'runs' })
  await desk.simulators[0].waitForCall(1)
  const waiting = desk.dispatcher.onEvent({ content: 'waits' })
  const refused = await desk.dispatcher.onEvent({ content: 'too many' })
  expect(refused).toMatchObject({ error: 'capacity_exceeded', retry_after_ms: expect.any(Number) })
  await desk.dispatcher.close()
  expect(await running).toMatchObject({ error: 'shutting_down' })
  expect(await waiting).toMatchObject({ error: 'shutting_down' })
})

test('a deadline that the learned speed cannot meet is refused at once, but not before a speed is learned', async () => {
  await using desk = await openDesk([{ tokensPerSecond: 200, answer: () => 'word '.repeat(40) }])
  const ask = (timeout_ms: number) =>
    desk.dispatcher.onEvent({ content: 'x', timeout_ms, parameters: { max_tokens: 40 } })
  expect(await ask(50)).toMatchObject({ error: 'deadline_exceeded' })
  for (let learned = 0; learned < 3; learned++) expect(await ask(10_000)).toHaveProperty('completion')
  const calls = desk.simulators[0].calls.length
  // Idle as it is, the backend gets one event a minute that tries whether the speed is still right.
  expect(await ask(50)).toMatchObject({ error: 'deadline_exceeded' })
  expect(await ask(50)).toMatchObject({ error: 'capacity_exceeded', retry_after_ms: 1000 })
  expect(desk.simulators[0].calls).toHaveLength(calls + 1)
})

test('a backend is chosen by its name or by its model, and an unknown name is told the known ones', async () => {
  await using desk = await openDesk([
    { ...AT_ONCE, model: 'koboldcpp/llama' },
    { ...AT_ONCE, model: 'koboldcpp/qwen' },
  ])
  const ask = (event: object) => desk.dispatcher.onEvent({ content: 'x', ...event })
  expect(await ask({ backend: 'b2' })).toMatchObject({ backend: 'b2', model: 'koboldcpp/qwen' })
  expect(await ask({ model: 'llama' })).toMatchObject({ backend: 'b1' })
  expect(await ask({ model: 'koboldcpp/qwen' })).toMatchObject({ backend: 'b2' })
  expect(await ask({ model: 'default' })).toHaveProperty('completion')
  expect(await ask({ model: 'mistral' })).toMatchObject({
    error: 'not_found',
    details: expect.stringContaining('koboldcpp/llama, koboldcpp/qwen'),
  })
  expect(await ask({ backend: 'b3' })).toMatchObject({
    error: 'not_found',
    details: expect.stringContaining('b1, b2'),
  })
})

test('where there is one model any name is taken, and the outcome says which one answered', async () => {
  await using desk = await openDesk([AT_ONCE])
  const outcome = await desk.dispatcher.onEvent({ content: 'x', model: 'gpt-4o' })
  expect(outcome).toMatchObject({ model: 'koboldcpp/simulator' })
})
