import { type Clock, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import type { CallbackPolicy } from './callbacks/callback-policy.ts'
import { storeProblem, type TicketDesk } from './desk/ticket-desk.ts'
import { divertEvent, mayBeDiverted } from './http/divert-event.ts'
import type { TicketContext } from './http/ticket-context.ts'
import { createTicketAccess, explainStore, sharedReads } from './http/ticket-context.ts'
import { addTicketRoutes } from './http/ticket-routes.ts'
import type { TicketStore } from './ticket/ticket-store.ts'

export type { TicketBody } from './http/ticket-body.ts'

export interface TicketRoutesOptions {
  /** Of the addresses of the tickets, as Fastify's `register` takes it. Default: none. */
  readonly prefix?: string
  readonly store: TicketStore
  /** The desk of this process: the text of its tickets is seen as it comes. Without it, once a second. */
  readonly desk?: TicketDesk
  /** Which `callback_url` is allowed; the one of the sender that runs on this store. Default: none is. */
  readonly callbacks?: Pick<CallbackPolicy, 'check'>
  /** Default: silent. */
  readonly logger?: Logger
  /** Largest body in bytes. Default 16 MiB. */
  readonly bodyLimitBytes?: number
  /** How long an `Idempotency-Key` is remembered, in milliseconds. Default 24 hours. */
  readonly idempotencyTtlMs?: number
  /** Milliseconds between two pings of a stream. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Whose ticket it is; idempotency keys of different callers do not meet. Default: the name of the API key. */
  readonly callerOf?: (request: FastifyRequest) => string
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * Tickets over HTTP, for a server made by `createServer`: `server.register(ticketRoutes, { store, desk })`.
 *
 * `POST /tickets`, `GET /tickets`, `GET /tickets/stats`, `POST /tickets/prune`, `GET` and `DELETE /tickets/:id`, `POST /tickets/:id/replay`,
 * `GET /tickets/:id/callbacks`, `POST /tickets/:id/callbacks/resend`; and `POST /event`, under whatever prefix it is
 * registered, with `Prefer: respond-async`, an `Idempotency-Key`, a `callback_url`, or CloudEvents. A 202 is sent when
 * the ticket is on disk, by the measure of the store. A key with only the scope `events` sees and cancels the tickets of
 * its own name, no others.
 */
export const ticketRoutes: FastifyPluginCallback<TicketRoutesOptions> = fastifyPlugin(
  installTickets,
  // Its hook is for the routes of another plugin: it belongs to the instance that registers it, not to one of its own.
  { name: '@ai-ticket/tickets', fastify: '5.x' },
)

function installTickets(instance: FastifyInstance, options: TicketRoutesOptions, done: () => void): void {
  const closing = new AbortController()
  const callerOf = options.callerOf ?? keyNameOf(instance)
  const { prefix = '', bodyLimitBytes = 16 * 1_024 * 1_024 } = options
  const context: TicketContext = {
    store: sharedReads(options.store),
    desk: options.desk,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    callerOf,
    access: createTicketAccess(instance, callerOf),
    callbacks: options.callbacks,
    idempotencyTtlMs: options.idempotencyTtlMs ?? 24 * 3_600_000,
    pingIntervalMs: options.pingIntervalMs ?? 15_000,
    closing: closing.signal,
    prefix: `${instance.prefix}${prefix}`,
  }
  instance.addHook('preClose', (closed) => {
    closing.abort(new Error('The server is closing.'))
    closed()
  })
  instance.addHook('preHandler', (request, reply, next) => {
    if (!request.routeOptions.config?.takesEvents || !mayBeDiverted(request)) return next()
    divertEvent(context, request, reply).then(
      (isDiverted) => isDiverted || next(),
      (error) => next(explainStore(error) as Error),
    )
  })
  instance.register(
    (scope, _options, added) => {
      // Thrown again, it goes to the handler of the server.
      scope.setErrorHandler((error) => {
        throw explainStore(error)
      })
      addTicketRoutes(scope, context, bodyLimitBytes)
      added()
    },
    { prefix },
  )
  if (instance.hasDecorator('healthChecks')) {
    instance.healthChecks.ticketStore = async () => (await storeProblem(options))?.message
  }
  if (instance.hasDecorator('openapi')) {
    instance.openapi.extend('POST /event', async (operation) =>
      (await import('./openapi/ticket-operations.ts')).eventWithTickets(operation),
    )
  }
  done()
}

/** `createServer` knows whose key a request shows; on another server, callers are one. */
function keyNameOf(instance: FastifyInstance): (request: FastifyRequest) => string {
  if (!instance.hasDecorator('keyNameOf')) return () => ''
  return (request) => instance.keyNameOf(request) ?? ''
}
