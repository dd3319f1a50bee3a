import type { Metrics, MetricsOptions } from './metrics.ts'

/**
 * Metrics of one desk: hand `metrics.observer` to `createDispatcher` and `metrics` to `createServer`. Each has a registry of
 * its own, so several desks can live in one process. The client is imported here and not before: it takes 20 ms.
 */
export async function createMetrics(options: MetricsOptions = {}): Promise<Metrics> {
  const { prometheusMetrics } = await import('./prometheus-metrics.ts')
  return prometheusMetrics(options)
}
