import { expect, test } from 'vitest'
import { type Point, studentQuantile, trendOf } from './trend.ts'

const series = (values: readonly number[]): Point[] => values.map((y, x) => ({ x, y }))

test('a line is found with no doubt', () => {
  const trend = trendOf(series([1, 3, 5, 7, 9]))
  expect(trend.slope).toBeCloseTo(2)
  expect([trend.low, trend.high]).toEqual([expect.closeTo(2), expect.closeTo(2)])
})

// Worked by hand: slope 0.6, residual sum 2.4, standard error sqrt(0.8 / 10), 3.182 of these to either side.
test('scattered points leave a margin', () => {
  const { slope, low, high } = trendOf(series([2, 4, 5, 4, 5]))
  expect(slope).toBeCloseTo(0.6, 10)
  expect(low).toBeCloseTo(0.6 - 0.9, 3)
  expect(high).toBeCloseTo(0.6 + 0.9, 3)
})

test('too few points, or all above one x, prove nothing', () => {
  for (const points of [[], series([1]), series([1, 5]), [1, 2, 3].map((y) => ({ x: 1, y }))]) {
    expect(trendOf(points)).toMatchObject({ low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY })
  }
})

test.each([
  [1, 12.706],
  [4, 2.776],
  [5, 2.571],
  [8, 2.306],
  [10, 2.228],
  [20, 2.086],
  [30, 2.042],
  [60, 2.0],
  [120, 1.98],
])('the quantile of %i degrees of freedom stands in the tables as %d', (degrees, table) => {
  expect(Math.abs(studentQuantile(degrees) - table)).toBeLessThan(0.0015)
})
