import { expect, test } from 'vitest'
import { parseDurationMs } from './command-line.ts'

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['1.5m', 90_000],
  ['500ms', 500],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['soon', undefined],
  ['', undefined],
  ['-1', undefined],
])('%s is %s ms', (text, milliseconds) => {
  expect(parseDurationMs(text)).toBe(milliseconds)
})
