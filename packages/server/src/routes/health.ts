import { type Dispatcher, type Health, type Logger, systemClock } from '@ai-ticket/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { replyToFailure, sendReply } from '../http/reply.ts'
import { inTime } from '../metrics/metrics.ts'

interface HealthRoutesOptions {
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  readonly version: string | undefined
  readonly isReady: () => boolean
  /** What else has to work; asked each time. */
  readonly checks: HealthChecks
  /** Whether this caller may see which backends there are. */
  readonly maySeeDetail: (request: FastifyRequest) => boolean
}

/** Checks that plugins add, one for each part. */
export interface HealthChecks {
  /** Resolves with what is wrong with the ticket store, in words for an operator; undefined: nothing. */
  ticketStore?: () => Promise<string | undefined>
}

/**
 * - `GET /health`: for people and monitors; always 200, `healthy` or `degraded` (no backend answers, or the ticket
 *   store does not work), with detail.
 * - `GET /livez`: the process answers. Asks nobody else.
 * - `GET /readyz`: new events are taken; 503 while the server drains. Does not depend on a backend.
 */
export function addHealthRoutes(server: FastifyInstance, options: HealthRoutesOptions): void {
  server.get('/health', { config: openapi('getHealth') }, async (request, reply) => {
    const [backends, store] = await Promise.all([lookAtBackends(options), lookAtStore(options)])
    const { status: answering, ...detail } = { ...backends, ...store }
    const status = store.ticket_store?.status === 'unavailable' ? 'degraded' : answering
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

interface StoreHealth {
  readonly ticket_store?: { readonly status: 'available' | 'unavailable'; readonly details?: string }
}

async function lookAtStore({ checks: { ticketStore }, logger }: HealthRoutesOptions): Promise<StoreHealth> {
  if (ticketStore === undefined) return {}
  const looked = ticketStore().catch((error: unknown) => {
    logger.warn('ticket store health unknown', { error })
    return 'The ticket store failed.'
  })
  const details = await inTime(looked, systemClock).catch(({ message }: Error) => message)
  return {
    ticket_store: details === undefined ? { status: 'available' } : { status: 'unavailable', details },
  }
}

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
