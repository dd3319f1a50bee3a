import { createDispatcher, createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }

test('KoboldCPP, which seeds itself by the second, gets a seed of its own for each call', async () => {
  await using simulator = await startKoboldSimulator(AT_ONCE)
  await using dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
  const outcomes = await Promise.all([1, 2, 3].map(() => dispatcher.onEvent({ content: 'x' })))
  const kept = outcomes.map(({ attempts }) => attempts[0]?.seed ?? 0)
  const sent = simulator.calls.map(({ body }) => (body as { seed: number }).seed)
  expect(new Set(kept).size).toBe(3)
  expect(sent.toSorted()).toEqual(kept.toSorted())
  expect(kept.every((seed) => Number.isInteger(seed) && seed >= 1 && seed < 2 ** 31)).toBe(true)
})

test.each([
  [7, 7],
  [0, 2 ** 31 - 1],
])(
  'a seed of the caller (%s) is sent as %s, the same each time, and nothing is drawn',
  async (seed, expected) => {
    await using simulator = await startKoboldSimulator(AT_ONCE)
    await using dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
    const { attempts } = await dispatcher.onEvent({ content: 'x', parameters: { seed } })
    expect(attempts[0]).not.toHaveProperty('seed')
    expect(simulator.calls[0]?.body).toMatchObject({ seed: expected })
  },
)

test('a server that draws better seeds itself is sent none', async () => {
  await using simulator = await startOpenAISimulator()
  await using dispatcher = createDispatcher({
    backends: [createOpenAIBackend({ name: 'o', url: simulator.url })],
  })
  const { attempts } = await dispatcher.onEvent({ content: 'x' })
  expect(attempts[0]).not.toHaveProperty('seed')
})
