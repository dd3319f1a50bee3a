import { createKoboldBackend, type StreamEvent } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

async function openDesk() {
  const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }))
}

test('an event becomes a completion', async () => {
  await using desk = await openDesk()
  const outcome = await desk.dispatcher.onEvent({ content: 'Say hello.', id: 'first', metadata: { k: 'v' } })
  expect(outcome).toMatchObject({
    completion: expect.stringContaining('simulator'),
    id: 'first',
    backend: 'kobold',
    endpoint: 'chat',
    finish_reason: 'stop',
    metadata: { k: 'v' },
    attempts: [{ backend: 'kobold', endpoint: 'chat', number: 1, result: 'completed' }],
  })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('a streamed event yields its text in deltas and ends with the outcome', async () => {
  await using desk = await openDesk()
  const events: StreamEvent[] = []
  for await (const event of desk.dispatcher.streamEvent({ content: 'Say hello.' })) events.push(event)
  const last = events.at(-1)
  if (last?.type !== 'done') throw new Error(JSON.stringify(last))
  expect(events[0]).toEqual({ type: 'admitted', id: last.outcome.id })
  const text = events.flatMap((event) => (event.type === 'delta' ? [event.text] : [])).join('')
  expect(text.trim()).toBe(last.outcome.completion)
})
