import { systemClock } from '@ai-ticket/core'
import { Counter, Histogram, Registry } from '@prometheus-io/client'
import type { CallbackFigures, Metrics, MetricsOptions } from './metrics.ts'
import { observeEvents } from './observe-events.ts'
import { showDesk } from './show-desk.ts'
import { showProcess } from './show-process.ts'
import { showTickets } from './show-tickets.ts'

export function prometheusMetrics({ version = 'unknown', clock = systemClock }: MetricsOptions): Metrics {
  const registry = new Registry()
  const observer = observeEvents(registry)
  const updateDesk = showDesk(registry)
  const updateProcess = showProcess(registry, version)
  const callbackObserver = observeCallbacks(registry)
  let updateTickets: (() => Promise<void>) | undefined
  return {
    observer,
    callbackObserver,
    registry,
    contentType: registry.contentType,
    showTickets(source) {
      updateTickets = showTickets(registry, source, clock)
    },
    async render(report) {
      updateDesk(report)
      updateProcess()
      await updateTickets?.()
      return registry.metrics()
    },
  }
}

/** A receiver has 15 s. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** Counts attempts to deliver callbacks as they end. */
function observeCallbacks(registry: Registry): { attemptEnded(report: CallbackFigures): void } {
  const registers = [registry]
  const attempts = new Counter({
    name: 'ai_ticket_callback_attempts_total',
    help: 'Attempts to deliver a callback, by result (delivered; failed: another one follows; dead: given up)',
    labelNames: ['result'],
    registers,
  })
  const duration = new Histogram({
    name: 'ai_ticket_callback_duration_seconds',
    help: 'Of an attempt to deliver a callback',
    buckets: SECONDS,
    registers,
  })
  return {
    attemptEnded({ result, durationMs }) {
      attempts.inc({ result })
      duration.observe(durationMs / 1_000)
    },
  }
}
