import { createDispatcher, createKoboldBackend, createOpenAIBackend, type EventInput } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

async function openKobold() {
  const simulator = await startKoboldSimulator()
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }))
}

const MESSAGES = {
  content: { messages: [{ role: 'user', content: 'Once upon a time' }] },
} satisfies EventInput

test('a prompt is counted by its backend, and nothing is generated', async () => {
  await using desk = await openKobold()
  const counted = await desk.dispatcher.countTokens(MESSAGES)
  const outcome = await desk.dispatcher.onEvent(MESSAGES)
  expect(counted).toEqual({ tokens: outcome.usage?.prompt_tokens, isEstimate: false })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('a text to go on with is counted as it stands, with the ids of its tokens', async () => {
  await using desk = await openKobold()
  const counted = await desk.dispatcher.countTokens({ content: 'Once upon a time' }, { continues: true })
  expect(counted).toMatchObject({ isEstimate: false, ids: expect.any(Array) })
  expect(counted).toHaveProperty('ids.length', 'tokens' in counted ? counted.tokens : 0)
})

test('where nobody counts, it is an estimate', async () => {
  await using simulator = await startOpenAISimulator({ flavour: 'ollama' })
  await using dispatcher = createDispatcher({ backends: [createOpenAIBackend({ url: simulator.url })] })
  expect(await dispatcher.countTokens({ content: 'x'.repeat(400) })).toEqual({
    tokens: 100,
    isEstimate: true,
  })
})

test('a backend that is away is passed over', async () => {
  const gone = await startKoboldSimulator()
  await gone.close()
  await using simulator = await startKoboldSimulator()
  const backends = [gone, simulator].map(({ url }, index) =>
    createKoboldBackend({ url, name: `box-${index}` }),
  )
  await using dispatcher = createDispatcher({ backends })
  expect(await dispatcher.countTokens(MESSAGES)).toMatchObject({ isEstimate: false })
})

test('what would be refused is refused, and an abort rejects with its reason', async () => {
  await using desk = await openKobold()
  expect(await desk.dispatcher.countTokens({ content: 7 })).toEqual({
    error: 'invalid_input_format',
    details: expect.any(String),
  })
  const reason = new Error('enough')
  const counting = desk.dispatcher.countTokens(MESSAGES, { signal: AbortSignal.abort(reason) })
  await expect(counting).rejects.toBe(reason)
})
