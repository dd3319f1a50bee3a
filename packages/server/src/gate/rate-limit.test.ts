import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { createRateLimiter, type RateLimit } from './rate-limit.ts'

const PER_MINUTE = { requests: 60, windowMs: 60_000 }

/** So many requests at once, and how many of them were let in. */
const admitted = (
  limiter: ReturnType<typeof createRateLimiter>,
  limit: RateLimit,
  count: number,
  caller = 'a',
) =>
  Array.from({ length: count }, () => limiter.take(caller, limit)).filter(({ isAllowed }) => isAllowed).length

test('lets a burst in, then one each time that one has come back', async () => {
  const clock = createVirtualClock()
  const limiter = createRateLimiter(clock)
  expect(limiter.take('a', PER_MINUTE)).toEqual({
    isAllowed: true,
    remaining: 59,
    nextInMs: 1_000,
    fullInMs: 1_000,
  })
  expect(admitted(limiter, PER_MINUTE, 100)).toBe(59)
  await clock.advance(400)
  expect(limiter.take('a', PER_MINUTE)).toEqual({
    isAllowed: false,
    remaining: 0,
    nextInMs: 600,
    fullInMs: 59_600,
  })
  await clock.advance(600)
  expect(limiter.take('a', PER_MINUTE)).toMatchObject({ isAllowed: true, remaining: 0, nextInMs: 1_000 })
  await clock.advance(3_600_000)
  expect(admitted(limiter, PER_MINUTE, 100)).toBe(60)
})

test('a burst of its own is smaller or larger than what a window brings', () => {
  const limiter = createRateLimiter(createVirtualClock())
  expect(admitted(limiter, { ...PER_MINUTE, burst: 3 }, 10)).toBe(3)
  expect(admitted(limiter, { ...PER_MINUTE, burst: 90 }, 100, 'b')).toBe(90)
})

test.each([1, 3, 7, 9, 11, 13, 60, 999])('%i a minute is neither one more nor one less', async (requests) => {
  const clock = createVirtualClock()
  const limiter = createRateLimiter(clock)
  const limit = { requests, windowMs: 60_000 }
  expect(admitted(limiter, limit, requests + 5)).toBe(requests)
  let later = 0
  for (let second = 0; second < 60; second += 1) {
    await clock.advance(1_000)
    later += admitted(limiter, limit, requests + 5)
  }
  expect(later).toBe(requests)
})

test('who comes back when told is let in', async () => {
  const clock = createVirtualClock()
  const limiter = createRateLimiter(clock)
  const limit = { requests: 7, windowMs: 1_000, burst: 2 }
  for (let round = 0; round < 50; round += 1) {
    const standing = limiter.take('a', limit)
    if (!standing.isAllowed) await clock.advance(standing.nextInMs)
    expect(standing.isAllowed || limiter.take('a', limit).isAllowed).toBe(true)
  }
})

test('callers do not count for each other, and the longest silent is forgotten first', () => {
  const limiter = createRateLimiter(createVirtualClock(), 2)
  const once = { requests: 1, windowMs: 60_000 }
  for (const caller of ['a', 'b']) expect(limiter.take(caller, once).isAllowed).toBe(true)
  for (const caller of ['a', 'b']) expect(limiter.take(caller, once).isAllowed).toBe(false)
  expect(limiter.take('c', once).isAllowed).toBe(true)
  expect(limiter.take('b', once).isAllowed).toBe(false)
  expect(limiter.take('a', once).isAllowed).toBe(true)
})
