import { expect, test } from 'vitest'
import { readRetryAfter, readRetryAfterMs } from './retry-after.ts'

const LONGEST_MS = 3_600_000
const at = { wallTimeMs: Date.UTC(2026, 0, 1, 12), longestMs: LONGEST_MS }

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
  expect(readRetryAfter(header, text, at)).toBe(expected)
})

test.each([
  [null, 'Server is busy; please try again later.'],
  ['soon', ''],
  ['-5', ''],
  ['1e9', ''],
  ['NaN', ''],
  ['Infinity', ''],
  ['3600, 7200', ''],
  [undefined, ''],
  ['', ''],
])('Retry-After %j with text %j says nothing', (header, text) => {
  expect(readRetryAfter(header, text, at)).toBeUndefined()
})

test.each([
  ['3601', ''],
  ['9999999999999', ''],
  ['9999999999999.5', ''],
  ['9'.repeat(400), ''],
  ['Thu, 01 Jan 2099 12:00:00 GMT', ''],
  ['Fri, 31 Dec 9999 23:59:59 GMT', ''],
  ['Sat, 13 Sep 275760 00:00:00 GMT', ''],
  ['Sat, 01 Jan 300000 00:00:00 GMT', ''],
  [null, 'Please try again in 9999999999999 seconds.'],
  [null, `Please try again in ${'9'.repeat(400)} seconds.`],
])('Retry-After %j with text %j counts as the longest', (header, text) => {
  expect(readRetryAfter(header, text, at)).toBe(LONGEST_MS)
})

test.each([
  ['250', 250],
  ['250.2', 251],
  ['3600001', LONGEST_MS],
  ['9'.repeat(400), LONGEST_MS],
  ['-1', undefined],
  ['1e12', undefined],
  ['NaN', undefined],
])('retry-after-ms %j is %s ms', (header, expected) => {
  expect(readRetryAfterMs(header, LONGEST_MS)).toBe(expected)
})
