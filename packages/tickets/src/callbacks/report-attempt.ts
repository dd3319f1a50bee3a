import type { Logger } from '@ai-ticket/core'
import type { ClaimedDelivery } from '../ticket/callback-store.ts'
import { type DeliveryAttempt, hostOf, type Verdict } from '../ticket/delivery.ts'
import type { CallbackObserver } from './callback-sender-options.ts'

export interface ReportedAttempt {
  readonly attempt: DeliveryAttempt
  readonly verdict: Verdict
}

/** Logs an attempt that has been recorded, and tells the observer. */
export function reportAttempt(
  { delivery, ticket }: ClaimedDelivery,
  { attempt, verdict }: ReportedAttempt,
  { logger, observer }: { readonly logger: Logger; readonly observer?: CallbackObserver | undefined },
): void {
  const { error, details, status, durationMs } = attempt
  // Not the address: its path and query may hold secrets.
  const fields = {
    ticket_id: ticket.id,
    event_id: ticket.eventId,
    host: hostOf(delivery.url),
    attempt: delivery.tries + 1,
    duration_ms: durationMs,
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error, details }),
  }
  if (verdict.status === 'pending') {
    logger.warn('callback failed; it is tried again', { ...fields, retry_in_ms: verdict.retryInMs })
  } else if (verdict.status === 'dead') logger.error('callback given up', fields)
  else logger.info('callback delivered', fields)
  const result = verdict.status === 'pending' ? 'failed' : verdict.status
  try {
    observer?.attemptEnded?.({ result, durationMs, ...(error === undefined ? {} : { error }) })
  } catch (thrown) {
    logger.error('the observer of callbacks threw', { error: thrown })
  }
}
