import type { RateLimit } from '@ai-ticket/server'
import * as v from 'valibot'

const EXPECTED =
  'off, or a rate like 60/min, 5/s or 1000/h, with a burst behind it if need be: 60/min burst 10'
const RATE = /^([1-9]\d{0,8})\/(s|min|m|h|d)(?: burst ([1-9]\d{0,8}))?$/
const WINDOW_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

export const RateLimitSchema = v.pipe(
  v.string(EXPECTED),
  v.regex(new RegExp(`^off$|${RATE.source}`), EXPECTED),
)

/** Of a text that the schema took. */
export function parseRateLimit(text: string): RateLimit | false {
  const [, requests, unit = '', burst] = RATE.exec(text) ?? []
  if (requests === undefined) return false
  return {
    requests: Number(requests),
    windowMs: WINDOW_MS[unit] ?? 1_000,
    ...(burst === undefined ? {} : { burst: Number(burst) }),
  }
}
