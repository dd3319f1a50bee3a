import { type Clock, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import type { CallbackPolicy } from './callbacks/callback-policy.ts'
import { storeProblem, type TicketDesk } from './desk/ticket-desk.ts'
import { acceptEvent } from './http/accept-event.ts'
import { divertEvent, mayBeDiverted } from './http/divert-event.ts'
import { readEvent } from './http/read-event.ts'
import type { TicketContext } from './http/ticket-context.ts'
import {
  createTicketAccess,
  explainStore,
  sharedReads,
  unknownTicket,
  waitSignal,
} from './http/ticket-context.ts'
import { addTicketRoutes, CANCEL_WAIT_MS } from './http/ticket-routes.ts'
import { followTicket, type TicketNews, waitForEnd } from './http/watch-ticket.ts'
import type { NewTicket } from './ticket/new-ticket.ts'
import type { Ticket } from './ticket/ticket.ts'
import type { TicketStore } from './ticket/ticket-store.ts'

export type { BulkBody } from './http/bulk-tickets.ts'
export { readTime } from './http/read-event.ts'
export { readQuery as readTicketQuery } from './http/read-query.ts'
export { type CallbackBody, type TicketBody, type TicketRowBody, ticketRowBody } from './http/ticket-body.ts'
export type { TicketNews } from './http/watch-ticket.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Once `ticketRoutes` is registered: for plugins that show tickets in another dialect. */
    tickets: TicketDoor
  }
}

/**
 * Tickets for the routes of another plugin, with the rights of whoever sends the request. Each rejects with a
 * `RequestProblem`, for the error handler of the server: `not_found` for a ticket that is not there or not the caller's,
 * `store_unavailable`, and what `POST /tickets` says of an event that it refuses.
 */
export interface TicketDoor {
  /**
   * Takes an event in; it is on disk when this resolves. `door` names your API, as `EventOptions.door` does. `isKnown`: its
   * `Idempotency-Key` was, and nothing new was taken.
   */
  accept(
    request: FastifyRequest,
    event: unknown,
    options: Pick<NewTicket, 'wantsStream' | 'isChat' | 'door'>,
  ): Promise<{ readonly ticket: Ticket; readonly isKnown: boolean }>
  /** By its id, or by the id of its event: the newest one that bears it. */
  find(request: FastifyRequest, by: { readonly id: string } | { readonly eventId: string }): Promise<Ticket>
  /** Ends it, and waits for 5 s at most to see it stopped. The ticket as it is then. */
  cancel(request: FastifyRequest, reply: FastifyReply, ticket: Ticket): Promise<Ticket>
  /** Removes one that has ended; one that has not is cancelled first. False: it has not stopped yet. */
  remove(request: FastifyRequest, reply: FastifyReply, ticket: Ticket): Promise<boolean>
  /** How it is, and each change, until it has ended, the caller has gone or the server closes. */
  follow(reply: FastifyReply, ticket: Ticket): AsyncIterable<TicketNews>
}

/** For `ticketRoutes`. */
export interface TicketRoutesOptions {
  /** Of the addresses of the tickets, as Fastify's `register` takes it. Default: none. */
  readonly prefix?: string
  /** Yours: closing the server does not close it. */
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
    prioritise: prioritiseOf(instance),
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
  instance.decorate('tickets', createDoor(context))
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

function createDoor(context: TicketContext): TicketDoor {
  const { store, access } = context
  const end = (reply: FastifyReply, ticket: Ticket) =>
    waitForEnd(context, ticket, { waitMs: CANCEL_WAIT_MS, signal: waitSignal(context, reply) })
  const cancel: TicketDoor['cancel'] = async (request, reply, ticket) => {
    access.checkCancel(request, ticket)
    return end(reply, (await store.cancel(ticket.id)) ?? ticket)
  }
  const explained =
    <Given extends unknown[], Value>(work: (...given: Given) => Promise<Value>) =>
    (...given: Given) =>
      work(...given).catch((error: unknown) => {
        throw explainStore(error)
      })
  return {
    accept: explained(async (request, event, options) =>
      acceptEvent(context, request, {
        ...readEvent(context, event, options.isChat),
        ...options,
        asked: event,
      }),
    ),
    find: explained(async (request, by) => {
      const ticket =
        'id' in by ? await store.get(by.id) : (await store.list({ eventId: by.eventId, limit: 1 })).tickets[0]
      if (ticket === undefined) throw unknownTicket()
      access.checkSeen(request, ticket)
      return ticket
    }),
    cancel: explained(cancel),
    remove: explained(async (request, reply, ticket) => {
      await cancel(request, reply, ticket)
      return store.remove(ticket.id)
    }),
    follow: (reply, ticket) => followTicket(context, ticket, waitSignal(context, reply)),
  }
}

/** `createServer` knows what a key and an address may have; on another server, an event has its own. */
function prioritiseOf(instance: FastifyInstance): TicketContext['prioritise'] {
  if (!instance.hasDecorator('desk')) return (event) => event
  return (event, request) => instance.desk.prioritise(event, request)
}

/** `createServer` knows whose key a request shows; on another server, callers are one. */
function keyNameOf(instance: FastifyInstance): (request: FastifyRequest) => string {
  if (!instance.hasDecorator('keyNameOf')) return () => ''
  return (request) => instance.keyNameOf(request) ?? ''
}
