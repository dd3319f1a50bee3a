import { boundRetryAfter } from '../../contract/failure.ts'

/** KoboldCPP's `--ratelimit` says its seconds in the text only (1.99 and newer). */
const IN_TEXT = /try again in (\d+(?:\.\d+)?) seconds?/i

/** An HTTP date whose year no `Date` may hold, so that `Date.parse` cannot tell it from nonsense. */
const FAR_DATE = /^[a-z]{3,9}, \d{1,2}[ -][a-z]{3}[ -]\d{5,} /i

/** Against what a Retry-After is read. */
export interface RetryAfterLimits {
  /** Milliseconds since 1970. */
  readonly wallTimeMs: number
  /** A longer pause counts as this; see `LONGEST_RETRY_AFTER_MS`. */
  readonly longestMs: number
}

/**
 * How long a server asks to wait, in milliseconds: `Retry-After` in seconds or as an HTTP date, else the sentence of
 * KoboldCPP's rate limit. From 0 to `longestMs`. Undefined where it says nothing that can be read.
 */
export function readRetryAfter(
  header: string | null | undefined,
  text: string,
  { wallTimeMs, longestMs }: RetryAfterLimits,
): number | undefined {
  const ms = headerMs(header?.trim() ?? '', wallTimeMs) ?? secondsMs(IN_TEXT.exec(text)?.[1])
  return boundRetryAfter(ms, longestMs)
}

function headerMs(value: string, wallTimeMs: number): number | undefined {
  // Some write the unit.
  const seconds = /^(\d+(?:\.\d+)?)\s*(?:s|secs?|seconds?)?$/i.exec(value)?.[1]
  if (seconds !== undefined) return secondsMs(seconds)
  if (FAR_DATE.test(value)) return Number.POSITIVE_INFINITY
  // Only HTTP dates carry letters here; Date.parse would read a bare "-5" as a year.
  const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : date - wallTimeMs
}

const secondsMs = (seconds: string | undefined): number | undefined =>
  seconds === undefined ? undefined : Number(seconds) * 1000

/** OpenAI's own header, in milliseconds, which is more exact than `Retry-After`. From 0 to `longestMs`. */
export function readRetryAfterMs(header: string | null, longestMs: number): number | undefined {
  const value = header?.trim() ?? ''
  return /^\d+(\.\d+)?$/.test(value) ? boundRetryAfter(Number(value), longestMs) : undefined
}
