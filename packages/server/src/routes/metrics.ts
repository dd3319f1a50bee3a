import type { Dispatcher } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../metrics/metrics.ts'

/** `GET /metrics`, in the text format of Prometheus. Asks no backend. */
export function addMetricsRoute(server: FastifyInstance, metrics: Metrics, dispatcher: Dispatcher): void {
  const openapi = async () => (await import('../openapi/operations.ts')).getMetrics
  const config = { scopes: ['read'], isUnlimited: true, openapi } as const
  server.get('/metrics', { config }, async (_request, reply) => {
    reply.header('content-type', metrics.contentType).header('cache-control', 'no-store')
    return metrics.render(dispatcher.report())
  })
}
