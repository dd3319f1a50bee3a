/** Nobody is there: one line at a time is tried, at growing intervals, the others wait. A value; times are of one clock. */
export interface Outage {
  readonly since: number
  readonly nextTryAt: number
  readonly delayMs: number
  /** Why the last line got no answer. */
  readonly details: string
}

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 60_000

export interface FailedTry {
  readonly now: number
  readonly details: string
  /** What the server asked for. */
  readonly retryAfterMs?: number | undefined
}

export function beginOutage({ now, details, retryAfterMs = 0 }: FailedTry): Outage {
  const delayMs = FIRST_DELAY_MS
  return { since: now, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}

export function prolongOutage({ since, delayMs: former }: Outage, failed: FailedTry): Outage {
  const delayMs = Math.min(former * 2, LONGEST_DELAY_MS)
  const { now, details, retryAfterMs = 0 } = failed
  return { since, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}
