import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parseRateLimit, RateLimitSchema } from './api-keys.ts'

test.each([
  ['off', false],
  ['60/min', { requests: 60, windowMs: 60_000 }],
  ['60/m burst 10', { requests: 60, windowMs: 60_000, burst: 10 }],
  ['5/s', { requests: 5, windowMs: 1_000 }],
  ['1000/h', { requests: 1_000, windowMs: 3_600_000 }],
  ['5000/d', { requests: 5_000, windowMs: 86_400_000 }],
])('%s is a limit', (text, limit) => {
  expect(v.is(RateLimitSchema, text)).toBe(true)
  expect(parseRateLimit(text)).toEqual(limit)
})

test.each([
  '',
  '60',
  '0/s',
  '60/week',
  '-1/s',
  '1.5/s',
  '60/min burst',
  '60/min burst 0',
  'of',
  'off 60/min',
  60,
])('%s is none', (text) => {
  expect(v.is(RateLimitSchema, text)).toBe(false)
})
