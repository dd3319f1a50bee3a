import { expect, test } from 'vitest'
import { readRetryAfter } from './retry-after.ts'

const noon = Date.UTC(2026, 0, 1, 12)

test.each([
  ['30', '', 30_000],
  ['0', '', 0],
  ['1.5', '', 1500],
  ['Thu, 01 Jan 2026 12:00:20 GMT', '', 20_000],
  ['Thu, 01 Jan 2026 11:59:00 GMT', '', 0],
  [null, 'You are sending requests too quickly. Please try again in 4 seconds.', 4000],
  [null, 'please try again in 1 second', 1000],
  ['2', 'try again in 9 seconds', 2000],
])('Retry-After %j with text %j is %s ms', (header, text, expected) => {
  expect(readRetryAfter(header, text, noon)).toBe(expected)
})

test.each([
  [null, 'Server is busy; please try again later.'],
  ['soon', ''],
  ['-5', ''],
  [undefined, ''],
  ['', ''],
])('Retry-After %j with text %j says nothing', (header, text) => {
  expect(readRetryAfter(header, text, noon)).toBeUndefined()
})
