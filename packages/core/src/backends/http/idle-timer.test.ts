import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { createIdleTimer } from './open-call.ts'

function startTimer() {
  const clock = createVirtualClock()
  const fired: number[] = []
  const timer = createIdleTimer({ clock, idleMs: 100, onIdle: () => fired.push(clock.now()) })
  return { clock, fired, timer }
}

test('fires after so much silence, counted from the last touch', async () => {
  const { clock, fired, timer } = startTimer()
  await clock.advance(60)
  timer.touch()
  await clock.advance(99)
  expect(fired).toEqual([])
  await clock.advance(1)
  expect(fired).toEqual([160])
})

test('a thousand touches set no new timer', () => {
  const { clock, timer } = startTimer()
  for (let count = 0; count < 1000; count++) timer.touch()
  expect(clock.pending).toBe(1)
})

test('fires once for one silence and again for the next', async () => {
  const { clock, fired, timer } = startTimer()
  await clock.advance(1000)
  expect(fired).toEqual([100])
  timer.touch()
  await clock.advance(1000)
  expect(fired).toEqual([100, 1100])
})

test('does not fire while it is paused, and starts anew with the next touch', async () => {
  const { clock, fired, timer } = startTimer()
  timer.pause()
  await clock.advance(500)
  expect(fired).toEqual([])
  timer.touch()
  await clock.advance(100)
  expect(fired).toEqual([600])
})

test('a stopped one is silent for ever', async () => {
  const { clock, fired, timer } = startTimer()
  timer.stop()
  timer.touch()
  await clock.advance(1000)
  expect(fired).toEqual([])
  expect(clock.pending).toBe(0)
})
