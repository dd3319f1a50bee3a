import type { Clock, DeskReport, Observer } from '@ai-ticket/core'
import type { Registry } from '@prometheus-io/client'
import type { CallbackFigures } from './metrics/observe-callbacks.ts'
import type { TicketFigures } from './metrics/show-tickets.ts'

export type { CallbackFigures } from './metrics/observe-callbacks.ts'
export type { TicketFigures } from './metrics/show-tickets.ts'

export interface MetricsOptions {
  /** Default: the system's. */
  readonly clock?: Pick<Clock, 'wallTime'>
  /** Shown in `ai_ticket_build_info`. Default `unknown`. */
  readonly version?: string
}

/** What a desk counts, for `GET /metrics`. */
export interface Metrics {
  /** For `createDispatcher({ observer })`: without it events are not counted. */
  readonly observer: Observer
  /** For the sender of callbacks of `@ai-ticket/tickets`. */
  readonly callbackObserver: { attemptEnded(report: CallbackFigures): void }
  /** Adds the metrics of a ticket store, which is asked at each `render`. At most once. */
  showTickets(source: TicketFigures): void
  /** Where metrics of your own can be added. */
  readonly registry: Registry
  readonly contentType: string
  /** All metrics in the text format of Prometheus, with the desk as it is now. */
  render(report: DeskReport): Promise<string>
}

/**
 * Metrics of one desk: hand `metrics.observer` to `createDispatcher` and `metrics` to `createServer`. Each has a registry of
 * its own, so several desks can live in one process. The client is imported here and not before: it takes 20 ms.
 */
export async function createMetrics(options: MetricsOptions = {}): Promise<Metrics> {
  const { prometheusMetrics } = await import('./metrics/prometheus-metrics.ts')
  return prometheusMetrics(options)
}
