import { Registry } from '@prometheus-io/client'
import type { Metrics, MetricsOptions } from '../create-metrics.ts'
import { observeEvents } from './observe-events.ts'
import { showDesk } from './show-desk.ts'
import { showProcess } from './show-process.ts'

export function prometheusMetrics({ version = 'unknown' }: MetricsOptions): Metrics {
  const registry = new Registry()
  const observer = observeEvents(registry)
  const updateDesk = showDesk(registry)
  const updateProcess = showProcess(registry, version)
  return {
    observer,
    registry,
    contentType: registry.contentType,
    render(report) {
      updateDesk(report)
      updateProcess()
      return registry.metrics()
    },
  }
}
