import { expect, test } from 'vitest'
import { mostWithin } from './most-within.ts'

test.each([
  [[], 0],
  [[5], 1],
  [[1000, 1010, 1090, 2000], 3],
  [[2000, 1000, 1100, 1101], 2],
  [[7, 7, 7], 3],
])('of %j so many lie within a tenth of a second', (values, most) => {
  expect(mostWithin(values, 100)).toBe(most)
})
