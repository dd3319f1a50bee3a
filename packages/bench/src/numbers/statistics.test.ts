import { expect, test } from 'vitest'
import { median, spreadOf } from './statistics.ts'

test.each([
  [[5], 5],
  [[9, 1, 5], 5],
  [[4, 1, 2, 10], 3],
  [[], Number.NaN],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected)
})

test('a spread tells how far the rounds lie apart', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 })
})
