import fc from 'fast-check'
import { expect, test } from 'vitest'
import { etaSeconds, fullLineRetryMs, refusalMs, startsInMs } from './forecast.ts'

test('a free slot starts at once, a taken one when its work is done', () => {
  expect(startsInMs({ slots: [0, 5000], ahead: [] })).toBe(0)
  expect(startsInMs({ slots: [3000, 5000], ahead: [] })).toBe(3000)
})

test('those ahead take the slots as they become free', () => {
  expect(startsInMs({ slots: [1000, 5000], ahead: [2000, 3000, 10_000] })).toBe(6000)
})

test('where anything is unknown, so is the start', () => {
  expect(startsInMs({ slots: [1000, undefined], ahead: [] })).toBeUndefined()
  expect(startsInMs({ slots: [1000], ahead: [undefined] })).toBeUndefined()
  expect(startsInMs({ slots: [], ahead: [] })).toBeUndefined()
})

test('one slot does all the work before it, and more slots are never slower', () => {
  const works = fc.array(fc.nat(10_000), { maxLength: 30 })
  fc.assert(
    fc.property(works, fc.nat(5000), fc.nat(5000), (ahead, first, second) => {
      const total = ahead.reduce((sum, workMs) => sum + workMs, first)
      expect(startsInMs({ slots: [first], ahead })).toBe(total)
      expect(startsInMs({ slots: [first, second], ahead })).toBeLessThanOrEqual(total)
    }),
  )
})

test('seconds are rounded up', () => {
  expect([etaSeconds(0), etaSeconds(1), etaSeconds(2000), etaSeconds(undefined)]).toEqual([
    0,
    1,
    2,
    undefined,
  ])
})

test('a deadline that can be met, or that nobody can judge, is no reason to refuse', () => {
  expect(refusalMs({ startsMs: 4000, workMs: 6000, timeLeftMs: 10_000 })).toBeUndefined()
  expect(refusalMs({ startsMs: undefined, workMs: 6000, timeLeftMs: 1 })).toBeUndefined()
  expect(refusalMs({ startsMs: 4000, workMs: undefined, timeLeftMs: 1 })).toBeUndefined()
})

test('a refusal says by how much the line has to grow shorter, in whole seconds', () => {
  expect(refusalMs({ startsMs: 60_000, workMs: 6000, timeLeftMs: 50_500 })).toBe(16_000)
  expect(refusalMs({ startsMs: 60_000, workMs: 6000, timeLeftMs: 65_999 })).toBe(1000)
  expect(refusalMs({ startsMs: 3000, workMs: 600_000, timeLeftMs: 1000 })).toBe(3000)
  expect(refusalMs({ startsMs: 0, workMs: 600_000, timeLeftMs: 1000 })).toBe(1000)
})

test('a full line names the time at which the first slot is likely to be free', () => {
  expect(fullLineRetryMs([8200, 2100, undefined])).toBe(3000)
  expect(fullLineRetryMs([0])).toBe(1000)
  expect(fullLineRetryMs([undefined])).toBe(5000)
})
