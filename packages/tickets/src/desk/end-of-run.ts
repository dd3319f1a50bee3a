import { FAILURES, type Outcome } from '@ai-ticket/core'
import type { Release, Ticket } from '../ticket/ticket.ts'

/** The fate of a ticket after a run. */
export type EndOfRun =
  | { readonly type: 'settle'; readonly outcome: Outcome }
  | { readonly type: 'release'; readonly release: Release }

export interface RunCircumstances {
  readonly now: number
  readonly random: number
  readonly retryDelaysMs: readonly number[]
  /** A caller has asked to cancel the ticket. */
  readonly isCancelled: boolean
}

/** A store or a line that refused gets a moment. */
const PAUSE_MS = 1_000

export function endOfRun(ticket: Ticket, outcome: Outcome, at: RunCircumstances): EndOfRun {
  if (outcome.error === undefined) return { type: 'settle', outcome }
  const { error, details, attempts, partial } = outcome
  if (at.isCancelled)
    return { type: 'settle', outcome: { ...outcome, error: 'cancelled', details: CANCELLED } }
  const story = {
    attempts,
    lastFailure: { error, details },
    ...(partial === undefined ? {} : { partial }),
  }
  const { passes } = FAILURES[error]
  // Nobody cancelled the ticket, so it was the desk that ended its run: it costs no retry.
  if (passes === 'when_open' || error === 'cancelled') {
    const pause = error === 'store_unavailable' ? { pauseMs: PAUSE_MS } : {}
    return { type: 'release', release: { ...story, ...pause, reason: 'interrupted' } }
  }
  if (passes !== 'when_free' && passes !== 'perhaps') return { type: 'settle', outcome }
  const pauseMs = retryDelayMs(at.retryDelaysMs, {
    retries: ticket.retries,
    random: at.random,
    atLeastMs: outcome.retry_after_ms,
  })
  // A run would begin too late: the ticket ends with what it has.
  if (pauseMs === undefined || at.now + pauseMs >= (ticket.expiresAt ?? Number.POSITIVE_INFINITY)) {
    return { type: 'settle', outcome }
  }
  return { type: 'release', release: { ...story, pauseMs, reason: 'retry' } }
}

const CANCELLED = 'The ticket was cancelled while it ran.'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE

/** The pause after this many retries; undefined: there is no further one. Up to half of it is random, so that a crowd disperses. */
function retryDelayMs(
  delays: readonly number[],
  { retries, random, atLeastMs = 0 }: { retries: number; random: number; atLeastMs?: number | undefined },
): number | undefined {
  const delay = delays[retries]
  return delay === undefined ? undefined : Math.max(atLeastMs, Math.round(delay * (1 - random / 2)))
}
