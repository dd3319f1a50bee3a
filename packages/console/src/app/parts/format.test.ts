import { expect, test } from 'vitest'
import { duration } from './format.ts'

test.each([
  [0, '0 s'],
  [999, '999 ms'],
  [999.6, '1.0 s'],
  [9_949, '9.9 s'],
  [9_960, '10 s'],
  [59_499, '59 s'],
  [59_600, '1 min'],
  [200_000, '3 min 20 s'],
  [3_599_600, '1 h 0 min'],
  [7_500_000, '2 h 5 min'],
  [7_499_600, '2 h 5 min'],
])('%d ms are said as %s', (ms, words) => {
  expect(duration(ms)).toBe(words)
})
