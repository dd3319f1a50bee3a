import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { createDatabaseTime } from './database.ts'

function openTime() {
  const clock = createVirtualClock({ startAt: 1_000_000 })
  const server = { shiftMs: 500, wayMs: 0 }
  const at = {
    async query() {
      const now = clock.wallTime() + server.shiftMs
      // The whole of its way lies behind the answer.
      await clock.advance(server.wayMs)
      return [{ now }]
    },
  }
  return { clock, server, at, time: createDatabaseTime(clock) }
}

it('goes by the clock of the database, and sees when somebody sets it', async () => {
  const { clock, server, at, time } = openTime()
  await time.adjust(at)
  expect([time.now(), time.setMsAgo()]).toEqual([1_000_500, Number.POSITIVE_INFINITY])
  server.shiftMs = -3_600_000
  await time.adjust(at)
  await clock.advance(250)
  expect([time.now(), time.setMsAgo()]).toEqual([1_000_250 - 3_600_000, 250])
})

it('looks again before a lease where the last look is older than half of one', async () => {
  const { clock, server, at, time } = openTime()
  await time.adjust(at)
  server.shiftMs = 3_600_000
  await clock.advance(1_500)
  await time.keepFresh(at, 3_000)
  expect(time.now()).toBe(1_002_000)
  await clock.advance(1)
  await time.keepFresh(at, 3_000)
  expect([time.now(), time.setMsAgo()]).toEqual([clock.wallTime() + 3_600_000, 0])
})

it('takes no answer that was long on its way for a clock that was set', async () => {
  const { clock, server, at, time } = openTime()
  await time.adjust(at)
  server.wayMs = 9_000
  await time.adjust(at)
  expect([time.now(), time.setMsAgo()]).toEqual([clock.wallTime() + 500, Number.POSITIVE_INFINITY])
})
