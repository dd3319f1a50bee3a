import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createScaledClock } from './scaled-clock.ts'

test('timers fire in the order of their time, and not before it', async () => {
  const clock = createScaledClock(100)
  const fired: [name: string, isDue: boolean][] = []
  const startedAt = clock.now()
  const set = (name: string, ms: number) =>
    clock.setTimer(() => fired.push([name, clock.now() - startedAt >= ms]), ms)
  set('late', 3_000)
  set('early', 500)
  set('never', 800).cancel()
  await new Promise<void>((resolve) => clock.setTimer(resolve, 4_000))
  expect(fired).toEqual([
    ['early', true],
    ['late', true],
  ])
})

test('while the process stands still, so does the clock', async () => {
  const clock = createScaledClock(100)
  let isOver = false
  const timer = clock.setTimer(() => {
    isOver = true
  }, 30_000)
  const until = performance.now() + 400
  while (performance.now() < until);
  await delay(1)
  expect(isOver).toBe(false)
  expect(clock.now()).toBeLessThan(30_000)
  timer.cancel()
})
