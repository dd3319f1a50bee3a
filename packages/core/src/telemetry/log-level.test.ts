import { expect, test } from 'vitest'
import { parseLogLevel } from './consola-logger.ts'

test.each([
  ['DEBUG', 'debug'],
  ['INFO', 'info'],
  ['WARNING', 'warn'],
  ['WARN', 'warn'],
  ['ERROR', 'error'],
  ['CRITICAL', 'error'],
  ['Info', 'info'],
  [' silent ', 'silent'],
  ['verbose', 'debug'],
  ['success', 'info'],
  ['fatal', 'error'],
])('reads %s as %s', (text, level) => {
  expect(parseLogLevel(text)).toBe(level)
})

test.each(['', 'loud', '3', 'constructor', '__proto__'])('refuses %j', (text) => {
  expect(parseLogLevel(text)).toBeUndefined()
})
