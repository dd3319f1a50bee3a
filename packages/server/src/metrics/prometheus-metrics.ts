import { systemClock } from '@ai-ticket/core'
import { Registry } from '@prometheus-io/client'
import type { Metrics, MetricsOptions } from './metrics.ts'
import { observeCallbacks } from './observe-callbacks.ts'
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
      updateTickets = showTickets(registry, { source, wallTime: clock.wallTime })
    },
    async render(report) {
      updateDesk(report)
      updateProcess()
      await updateTickets?.()
      return registry.metrics()
    },
  }
}
