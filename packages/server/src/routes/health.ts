import type { Dispatcher, Health, Logger } from '@ai-ticket/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { replyToFailure, sendReply } from '../http/reply.ts'

interface HealthRoutesOptions {
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  readonly version: string | undefined
  readonly isReady: () => boolean
  /** Whether this caller may see which backends there are. */
  readonly maySeeDetail: (request: FastifyRequest) => boolean
}

/**
 * - `GET /health`: for people and monitors; always 200, `healthy` or `degraded` (no backend answers), with detail.
 * - `GET /livez`: the process answers. Asks nobody else.
 * - `GET /readyz`: new events are taken; 503 while the server drains. Does not depend on a backend.
 */
export function addHealthRoutes(server: FastifyInstance, options: HealthRoutesOptions): void {
  server.get('/health', { config: openapi('getHealth') }, async (request, reply) => {
    const { status, ...detail } = await lookAtBackends(options)
    reply.header('cache-control', 'no-store')
    if (!options.maySeeDetail(request)) return { status }
    return { status, ...(options.version === undefined ? {} : { version: options.version }), ...detail }
  })
  server.get('/livez', { config: openapi('getLivez') }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send('ok'),
  )
  server.get('/readyz', { config: openapi('getReadyz') }, (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return options.isReady() ? reply.send('ok') : sendReply(reply, replyToFailure(NOT_READY))
  })
}

const openapi = (name: 'getHealth' | 'getLivez' | 'getReadyz') => ({
  openapi: async () => (await import('../openapi/operations.ts'))[name],
})

const NOT_READY = { code: 'shutting_down', details: 'The server takes no new events.' } as const

/** A monitor gets its answer whatever happens; a dispatcher that cannot say (it is closed) has no backend to offer. */
async function lookAtBackends({ dispatcher, logger }: HealthRoutesOptions): Promise<Partial<Health>> {
  try {
    return await dispatcher.health()
  } catch (error) {
    logger.warn('health unknown', { error })
    return { status: 'degraded' }
  }
}
