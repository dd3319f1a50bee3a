import { LONGEST_RETRY_AFTER_MS } from '@ai-ticket/core'
import type { Delivery, DeliveryAttempt, Verdict } from '../ticket/delivery.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Pauses before each attempt, in milliseconds: the example of Standard Webhooks, 75 hours in all. */
export const CALLBACK_SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

/** The share by which a pause may grow at random, so that what failed together does not come back together. */
const JITTER = 0.2

/** Decides what follows an attempt. */
export function nextAttempt(
  delivery: Pick<Delivery, 'tries'>,
  attempt: Pick<DeliveryAttempt, 'error'>,
  given: { readonly scheduleMs: readonly number[]; readonly random: number; readonly retryAfterMs?: number },
): Verdict {
  if (attempt.error === undefined) return { status: 'delivered' }
  const pauseMs = given.scheduleMs[delivery.tries + 1]
  if (attempt.error === 'gone' || pauseMs === undefined) return { status: 'dead' }
  const asked = Math.min(given.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS.callback)
  return {
    status: 'pending',
    retryInMs: Math.round(Math.max(pauseMs, asked) * (1 + JITTER * given.random)),
  }
}
