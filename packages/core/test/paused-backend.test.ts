import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

test('a paused backend gets no new event while another can take it, and ends what it has', async () => {
  await using desk = await openDesk([
    { answer: () => 'one two three '.repeat(20), tokensPerSecond: 200 },
    { tokensPerSecond: Number.POSITIVE_INFINITY },
  ])
  const { dispatcher, simulators } = desk
  const runs = dispatcher.onEvent({ content: 'Why?', backend: 'b1' })
  await expect.poll(() => simulators[0].calls.length).toBe(1)
  expect(dispatcher.backend('b1')?.pause('boss')).toMatchObject({
    name: 'b1',
    paused: { since: expect.stringMatching(/^\d{4}-/), by: 'boss' },
  })
  expect(dispatcher.backend('b1')?.pause('other')).toMatchObject({ paused: { by: 'boss' } })
  expect(await runs).toMatchObject({ backend: 'b1' })
  expect(dispatcher.freeSlots()).toMatchObject([{ backend: 'b1', free: 0 }, { free: 1 }])
  for (let event = 0; event < 4; event++) {
    expect(await dispatcher.onEvent({ content: 'Why?' })).toMatchObject({ backend: 'b2' })
  }
  expect(dispatcher.backend('b1')?.resume()).not.toHaveProperty('paused')
  expect(await dispatcher.onEvent({ content: 'Why?', backend: 'b1' })).toMatchObject({ backend: 'b1' })
})

test('events that only a paused backend may serve wait for it, and a repeat does not go there', async () => {
  await using desk = await openDesk([{ tokensPerSecond: Number.POSITIVE_INFINITY }])
  const { dispatcher, simulators } = desk
  dispatcher.backend('b1')?.pause('boss')
  const waits = dispatcher.onEvent({ content: 'Why?' })
  await expect.poll(() => dispatcher.report().line.waiting).toBe(1)
  expect(dispatcher.line().waiting).toMatchObject([{ backends: ['b1'], starts_in_ms: null }])
  await dispatcher.backend('b1')?.probe()
  expect(simulators[0].calls).toEqual([])
  dispatcher.backend('b1')?.resume()
  expect(await waits).toMatchObject({ backend: 'b1' })
  expect(dispatcher.backend('nobody')).toBeUndefined()
})

test('what failed elsewhere does not go to a paused backend', async () => {
  await using desk = await openDesk([{ tokensPerSecond: Number.POSITIVE_INFINITY }, {}], { attempts: 1 })
  const { dispatcher, simulators } = desk
  dispatcher.backend('b2')?.pause('boss')
  await simulators[0].close()
  const outcome = await dispatcher.onEvent({ content: 'Why?', timeout_ms: 3_000 })
  expect(outcome.error).toBeDefined()
  expect(simulators[1]?.calls).toEqual([])
})
