/**
 * The longest pause that another server may ask for with `Retry-After` or words like it, in milliseconds: an hour for a
 * backend, a day for the receiver of a callback. A longer one counts as this. Without a limit, one header would keep a
 * backend out of use for years, and date a ticket beyond what a `Date` holds.
 */
export const LONGEST_RETRY_AFTER_MS = { backend: 3_600_000, callback: 86_400_000 } as const

/** From 0 to `longestMs`; undefined where it is not a number. */
export function boundRetryAfter(ms: number | undefined, longestMs: number): number | undefined {
  if (ms === undefined || Number.isNaN(ms)) return undefined
  return Math.min(Math.max(Math.ceil(ms), 0), longestMs)
}
