import type { Dispatcher } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'

/** `GET /backends`: state, slots, speeds and breaker of each backend, and the waiting line. Asks no backend. */
export function addBackendsRoute(server: FastifyInstance, dispatcher: Dispatcher): void {
  const openapi = async () => (await import('../openapi/operations.ts')).getBackends
  server.get('/backends', { config: { scopes: ['read'], openapi } }, (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return reply.send(dispatcher.report())
  })
}
