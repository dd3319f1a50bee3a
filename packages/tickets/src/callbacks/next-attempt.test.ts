import { expect, it } from 'vitest'
import { CALLBACK_SCHEDULE_MS, nextAttempt } from './next-attempt.ts'

const HOUR = 3_600_000
const next = (tries: number, more: { random?: number; retryAfterMs?: number } = {}) =>
  nextAttempt({ tries }, { error: 'refused' }, { scheduleMs: CALLBACK_SCHEDULE_MS, random: 0, ...more })

it('sends ten times over 75 hours, then gives up', () => {
  const pauses = Array.from({ length: 10 }, (_, tries) => next(tries))
  expect(pauses.at(-1)).toEqual({ status: 'dead' })
  const pending = pauses.flatMap((verdict) => (verdict.status === 'pending' ? verdict.retryInMs : []))
  expect(pending.map((ms) => ms / 1_000)).toEqual([
    5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
  ])
  expect(pending.reduce((sum, ms) => sum + ms) / HOUR).toBeCloseTo(75.6, 1)
})

it('lets a crowd part', () => {
  expect(next(0, { random: 0.5 })).toEqual({ status: 'pending', retryInMs: 5_500 })
})

it('waits as long as the receiver asks, a day at most', () => {
  expect(next(0, { retryAfterMs: 60_000 })).toEqual({ status: 'pending', retryInMs: 60_000 })
  expect(next(1, { retryAfterMs: 60_000 })).toEqual({ status: 'pending', retryInMs: 300_000 })
  expect(next(0, { retryAfterMs: 1_000 * HOUR })).toEqual({ status: 'pending', retryInMs: 24 * HOUR })
})

it('ends with an answer, and with 410', () => {
  const given = { scheduleMs: CALLBACK_SCHEDULE_MS, random: 0 }
  expect(nextAttempt({ tries: 0 }, {}, given)).toEqual({ status: 'delivered' })
  expect(nextAttempt({ tries: 0 }, { error: 'gone' }, given)).toEqual({ status: 'dead' })
})
