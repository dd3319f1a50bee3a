import { type Clock, LONGEST_RETRY_AFTER_MS, readRetryAfter } from '@ai-ticket/core'
import type { ClaimedDelivery } from '../ticket/callback-store.ts'
import { type DeliveryAttempt, type DeliveryError, webhookIdOf } from '../ticket/delivery.ts'
import { type CallbackContent, callbackBody, signCallback } from './callback-message.ts'
import type { CallbackPolicy } from './callback-policy.ts'
import type { CallbackPoster, CallbackReply } from './post-callback.ts'
import { BlockedAddress } from './post-callback.ts'

export interface AttemptParts {
  readonly policy: CallbackPolicy
  readonly poster: Pick<CallbackPoster, 'post'>
  readonly keys: readonly Buffer[]
  readonly content: CallbackContent
  readonly userAgent: string
  readonly timeoutMs: number
  readonly clock: Clock
  /** Ends it before its time; what it says then is not to be recorded. */
  readonly signal: AbortSignal
}

export interface AttemptResult {
  readonly attempt: DeliveryAttempt
  /** How long the receiver asks to be left alone. */
  readonly retryAfterMs?: number
}

type Ending = Pick<DeliveryAttempt, 'status' | 'error' | 'details'>

const fault = (error: DeliveryError, details: string, status?: number): Ending => ({
  error,
  details,
  ...(status === undefined ? {} : { status }),
})

/** Sends a delivery once. Never throws: what goes wrong is the attempt's result. */
export async function attemptDelivery(
  { delivery, ticket }: ClaimedDelivery,
  parts: AttemptParts,
): Promise<AttemptResult> {
  const { policy, clock } = parts
  const startedAt = clock.now()
  const at = Math.trunc(clock.wallTime())
  const end = (ending: Ending): DeliveryAttempt => ({
    at,
    durationMs: Math.round(clock.now() - startedAt),
    ...ending,
  })
  // The list may have changed since the event was accepted.
  const checked = policy.check(delivery.url)
  if (!checked.ok) return { attempt: end(fault(checked.error, checked.details)) }
  const body = callbackBody(ticket, parts.content)
  const headers = {
    'content-type': 'application/json',
    'user-agent': parts.userAgent,
    ...signCallback(parts.keys, { id: webhookIdOf(ticket.id), at, body }),
  }
  const limit = new AbortController()
  const timer = clock.setTimer(() => limit.abort(new Error('No time is left.')), parts.timeoutMs)
  const signal = AbortSignal.any([parts.signal, limit.signal])
  try {
    const reply = await parts.poster.post({ url: checked.url, headers, body, signal })
    const retryAfterMs = readRetryAfter(reply.retryAfter, '', {
      wallTimeMs: clock.wallTime(),
      longestMs: LONGEST_RETRY_AFTER_MS.callback,
    })
    return { attempt: end(endingOf(reply)), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  } catch (error) {
    const late = fault('timeout', `The receiver did not answer within ${parts.timeoutMs / 1_000} s.`)
    return { attempt: end(limit.signal.aborted ? late : problemOf(error)) }
  } finally {
    timer.cancel()
  }
}

function endingOf({ status }: CallbackReply): Ending {
  if (status >= 200 && status < 300) return { status }
  if (status === 410) return fault('gone', 'The receiver wants this callback no more (410).', status)
  if (status >= 300 && status < 400) {
    return fault('redirect', `The receiver redirected (${status}), which is not followed.`, status)
  }
  return fault('refused', `The receiver answered ${status}.`, status)
}

/** Codes only: messages of the network hold addresses. */
function problemOf(error: unknown): Ending {
  const all = chainOf(error)
  if (all.some((one) => one instanceof BlockedAddress)) {
    return fault(
      'blocked',
      'The name of the host stands for an address of a private network, and none of AI_TICKET_CALLBACK_PRIVATE holds it.',
    )
  }
  const code = all.map((one) => (one as { code?: unknown }).code).find((one) => typeof one === 'string')
  return fault('connection', `The connection failed${code === undefined ? '' : ` (${code})`}.`)
}

/** An error, those that it gathers, and its causes. */
function chainOf(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const gathered = error instanceof AggregateError ? error.errors.flatMap(chainOf) : []
  return [error, ...gathered, ...chainOf(error.cause)]
}
