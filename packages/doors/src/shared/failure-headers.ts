import { FAILURES, type Failure, type FailureOutcome } from '@ai-ticket/core'
import { replyToFailure, shouldRetryAfter } from '@ai-ticket/http-server'

/** Statuses that say "later": their clients look for a time. */
const LATER: readonly number[] = [429, 503, 529]

/**
 * Headers of a failure, whatever the dialect: `Retry-After` with every 429, 503 and 529 (seconds; 1 where nobody knows
 * better), `WWW-Authenticate` with a missing key, and `x-should-retry: false` where the desk has made its own attempts.
 */
export function failureHeaders(failure: Failure, status: number): Record<string, string> {
  const shouldRetry = shouldRetryAfter(failure.code, status)
  return {
    ...(LATER.includes(status) && { 'retry-after': '1' }),
    ...replyToFailure(failure).headers,
    ...(shouldRetry !== undefined && { 'x-should-retry': String(shouldRetry) }),
  }
}

/**
 * Why an event has no answer, for a caller who never saw the event: a path of the event (`content.messages[0]`) is told as
 * the path of the request that it was made of.
 */
export function failureOfOutcome({
  error,
  details,
  retry_after_ms,
}: Pick<FailureOutcome, 'error' | 'details' | 'retry_after_ms'>): Failure {
  return {
    code: error,
    details: details.replace(/`(?:content|parameters)\./g, '`'),
    ...(retry_after_ms !== undefined && { retryAfterMs: retry_after_ms }),
  }
}

/**
 * Whether the desk refused the event without asking a backend, so that it is the request that has to change.
 *
 * @public
 */
export const isRefusedByDesk = ({ error, attempts }: FailureOutcome): boolean =>
  attempts.length === 0 && FAILURES[error].stage === 'attempt'
