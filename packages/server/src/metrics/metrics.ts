import { type AttemptRecord, type Clock, type DeskReport, FAILURES, type Observer } from '@ai-ticket/core'
import type { Registry } from '@prometheus-io/client'

export const STATUSES = ['queued', 'in_progress', 'completed', 'failed', 'cancelled'] as const

/** A store that does not answer at once is no healthier than one that says no. */
const STORE_ANSWERS_WITHIN_MS = 2_000

/** An answer of the ticket store. Rejects where it takes longer than 2 s: neither a monitor nor a scrape waits for it. */
export function inTime<Value>(answer: Promise<Value>, clock: Clock): Promise<Value> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('The ticket store does not answer.'))
    const timer = clock.setTimer(late, STORE_ANSWERS_WITHIN_MS)
    answer.then(resolve, reject).finally(() => timer.cancel())
  })
}

/** For `createMetrics`. */
export interface MetricsOptions {
  /** Shown in `ai_ticket_build_info`. Default `unknown`. */
  readonly version?: string
  /** Default: the system's. */
  readonly clock?: Clock
}

/** What a desk counts, for `GET /metrics`. */
export interface Metrics {
  /** For `createDispatcher({ observer })`: without it events are not counted. */
  readonly observer: Observer
  /** For the sender of callbacks of `@ai-ticket/tickets`. */
  readonly callbackObserver: { attemptEnded(report: CallbackFigures): void }
  /** Adds the metrics of a ticket store, which is asked at each `render` and has 2 s to answer. At most once. */
  showTickets(source: TicketFigures): void
  /** Where metrics of your own can be added. */
  readonly registry: Registry
  /** The `content-type` of what `render` gives. */
  readonly contentType: string
  /** All metrics in the text format of Prometheus, with the desk as it is now. */
  render(report: DeskReport): Promise<string>
}

/** One attempt to deliver a callback, as `@ai-ticket/tickets` reports it. */
export interface CallbackFigures {
  readonly result: 'delivered' | 'failed' | 'dead'
  readonly durationMs: number
}

/** What is asked of a ticket store, for instance one of `@ai-ticket/tickets`. */
export interface TicketFigures {
  stats(): Promise<{
    readonly byStatus: Readonly<Record<(typeof STATUSES)[number], number>>
  }>
  /** Milliseconds until the first waiting ticket is due, negative if it was; undefined: none waits. */
  nextDueInMs(): Promise<number | undefined>
  /** How many callbacks are still to be delivered. */
  pendingCallbacks(): Promise<number>
  /** What keeps it from working, although it can be read; undefined: nothing. Default: nothing. */
  problem?(): Promise<unknown>
}

/**
 * For how long a backend may have worked on a call whose text nobody got, in milliseconds. A call that was answered is no
 * waste, nor one that never reached the server or that it refused with a status; of the rest nobody knows when the
 * first token came, so the whole call counts.
 */
export function wastedMs({ result, stopped, status, duration_ms }: Readonly<AttemptRecord>): number {
  const generated = result !== 'completed' && result !== 'endpoint_missing' && stopped !== 'not_sent'
  return generated && (status === undefined || status < 300) ? duration_ms : 0
}

/** `abandoned`: the caller left, its time was up, or the server closed. `failed`: what came was no answer. */
export function wasteReason({ result }: Readonly<AttemptRecord>): 'abandoned' | 'failed' {
  if (result === 'completed' || result === 'endpoint_missing') return 'failed'
  const { passes } = FAILURES[result]
  return passes === 'ended' || passes === 'when_open' ? 'abandoned' : 'failed'
}
