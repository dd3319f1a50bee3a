import { sleep } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { createVirtualClock } from './virtual-clock.ts'

test('timers fire in the order of their time, those set on the way included', async () => {
  const clock = createVirtualClock()
  const fired: string[] = []
  clock.setTimer(() => fired.push(`late ${clock.now()}`), 300)
  clock.setTimer(() => {
    fired.push(`early ${clock.now()}`)
    clock.setTimer(() => fired.push(`between ${clock.now()}`), 50)
  }, 100)
  await clock.advance(299)
  expect(fired).toEqual(['early 100', 'between 150'])
  await clock.advance(1)
  expect(fired).toEqual(['early 100', 'between 150', 'late 300'])
  expect(clock.now()).toBe(300)
  expect(clock.wallTime()).toBe(Date.UTC(2026, 0, 1) + 300)
})

test('a timer taken back never fires and does not count', async () => {
  const clock = createVirtualClock()
  const timer = clock.setTimer(() => expect.unreachable(), 10)
  expect(clock.pending).toBe(1)
  timer.cancel()
  expect(clock.pending).toBe(0)
  await clock.advance(100)
})

test('promises between two sleeps get their turn before time moves on', async () => {
  const clock = createVirtualClock()
  const seen: number[] = []
  const loop = async () => {
    for (let round = 0; round < 3; round++) {
      await sleep(clock, 100)
      seen.push(clock.now())
    }
  }
  const done = loop()
  await clock.advance(1000)
  await done
  expect(seen).toEqual([100, 200, 300])
})

test('it waits for what it is told to wait for before time moves on', async () => {
  const working: Promise<void>[] = []
  const clock = createVirtualClock({ settle: async () => void (await Promise.all(working)) })
  let doneAt: number | undefined
  clock.setTimer(() => {
    const work = new Promise<void>((resolve) => setTimeout(resolve, 5))
    working.push(work)
    void work.then(() => {
      doneAt = clock.now()
    })
  }, 100)
  clock.setTimer(() => {}, 101)
  await clock.advance(200)
  expect(doneAt).toBe(100)
})
