import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './next-step.ts'

test('the upper limit doubles from 500 ms to 8 s and stays there', () => {
  const limits = [1, 2, 3, 4, 5, 6, 60, 5000].map((repeat) => backoffMs({ repeat, random: 1 }))
  expect(limits).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000, 8000])
})

test('the whole range below the limit is used', () => {
  expect(backoffMs({ repeat: 3, random: 0 })).toBe(0)
  expect(backoffMs({ repeat: 3, random: 0.5 })).toBe(1000)
})

test('base and cap can be chosen', () => {
  expect(backoffMs({ repeat: 2, random: 1 }, { baseMs: 10, capMs: 15 })).toBe(15)
})

test('a pause is a whole number between zero and the cap', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), chance, (repeat, random) => {
      const pauseMs = backoffMs({ repeat, random })
      expect(Number.isInteger(pauseMs)).toBe(true)
      expect(pauseMs).toBeGreaterThanOrEqual(0)
      expect(pauseMs).toBeLessThan(Math.min(8000, 500 * 2 ** (repeat - 1)))
    }),
  )
})
