import type { Dispatcher } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'

/** `GET /backends`: state, slots, speeds and breaker of each backend, and the waiting line. Asks no backend. */
export function addBackendsRoute(server: FastifyInstance, dispatcher: Dispatcher): void {
  server.get('/backends', (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return reply.send(dispatcher.report())
  })
}
