import { acceptEvents } from '@ai-ticket/http-server/cloudevents'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isFinished, type Ticket } from '../ticket/ticket.ts'
import { acceptEvent, checkCallback, replyAccepted } from './accept-event.ts'
import { actOnMany, readReplay } from './bulk-tickets.ts'
import { acceptBatch } from './divert-event.ts'
import { originOf, readEvent, readOrigin } from './read-event.ts'
import { readCallbackQuery, readPrune, readView, readWait } from './read-query.ts'
import {
  callbackBody,
  deliveriesFor,
  deliveryBody,
  type TicketBodyOptions,
  ticketBody,
  ticketRowBody,
} from './ticket-body.ts'
import {
  describedAs,
  problem,
  type TicketContext,
  textOf,
  unknownTicket,
  waitSignal,
} from './ticket-context.ts'
import { streamTicket, waitForEnd, wantsStream } from './watch-ticket.ts'

interface Named {
  readonly Params: { readonly id: string }
  readonly Querystring: Readonly<Record<string, unknown>>
}

/** Scopes of the API keys that may ask; what a key may see of it, `access` says. */
const SEND = ['events'] as const
const READ = ['read'] as const
const SEE = ['events', 'read'] as const
const OPERATE = ['admin'] as const

/** How long a cancellation waits to see the generation stopped. */
export const CANCEL_WAIT_MS = 5_000

export function addTicketRoutes(instance: FastifyInstance, context: TicketContext, bodyLimit: number): void {
  const { store, access } = context
  const find: FindTicket = async (request) => {
    const ticket = await store.get(request.params.id)
    if (ticket === undefined) throw unknownTicket()
    access.checkSeen(request, ticket)
    return ticket
  }
  addArrivalRoute(instance, context, bodyLimit)
  addOverviewRoutes(instance, context)
  addSingleRoutes(instance, context, find)
  addReplayRoute(instance, context, { find, bodyLimit })
  addCallbackRoutes(instance, context, find)
}

/** Throws a `RequestProblem` where there is no such ticket, or the caller may not see it. */
type FindTicket = (request: FastifyRequest<Named>) => Promise<Ticket>

function addArrivalRoute(instance: FastifyInstance, context: TicketContext, bodyLimit: number): void {
  instance.register((scope, _options, done) => {
    acceptEvents(scope)
    scope.post(
      '/tickets',
      { bodyLimit, config: { ...describedAs('postTicket', SEND), door: 'tickets' } },
      async (request, reply) => {
        const { cloudEvents } = request
        if (cloudEvents?.mode === 'batched')
          return acceptBatch(context, { request, reply, door: 'tickets' }, cloudEvents.entries)
        const origin = originOf(request)
        const event = origin === undefined ? readEvent(context, request.body) : readOrigin(context, origin)
        const accepted = await acceptEvent(context, request, { ...event, door: 'tickets' }, origin)
        return replyAccepted(reply, accepted, context)
      },
    )
    done()
  })
}

function addReplayRoute(
  instance: FastifyInstance,
  context: TicketContext,
  { find, bodyLimit }: { readonly find: FindTicket; readonly bodyLimit: number },
): void {
  instance.post<Named>(
    '/tickets/:id/replay',
    { bodyLimit, config: { ...describedAs('postReplay', OPERATE), door: 'tickets' } },
    async (request, reply) => {
      const origin = await find(request)
      const accepted = await acceptEvent(context, request, readReplay(context, origin, request.body))
      return replyAccepted(reply, accepted, context)
    },
  )
}

/** All tickets: the list, the counts, and removing old ones. */
function addOverviewRoutes(instance: FastifyInstance, context: TicketContext): void {
  const { store, prefix } = context

  instance.get<Named>('/tickets', { config: describedAs('getTickets', READ) }, async (request, reply) => {
    const { isRows, query } = readView(request.query)
    reply.header('cache-control', 'no-store')
    if (isRows) {
      const { rows, nextCursor } = await store.listRows(query)
      return reply.send(listBody(rows.map(ticketRowBody), nextCursor))
    }
    const { tickets, nextCursor } = await store.list(query)
    const deliveries = await deliveriesFor(store, tickets)
    const data = tickets.map((ticket) =>
      ticketBody(ticket, { prefix, event: true, delivery: deliveries.get(ticket.id) }),
    )
    return reply.send(listBody(data, nextCursor))
  })

  instance.post('/tickets/prune', { config: describedAs('postPrune', OPERATE) }, async (request, reply) => {
    const asked = readPrune(request.body)
    const removed = await store.prune(asked)
    return reply.send({ object: 'prune', removed, dry_run: asked.dryRun === true })
  })

  instance.post('/tickets/bulk', { config: describedAs('postBulk', OPERATE) }, async (request, reply) =>
    reply.send(await actOnMany(context, request)),
  )
  instance.get('/tickets/stats', { config: describedAs('getTicketStats', READ) }, async (_request, reply) => {
    const { byStatus, oldestQueuedAt } = await store.stats()
    const waitedMs = oldestQueuedAt === undefined ? undefined : context.clock.wallTime() - oldestQueuedAt
    reply.header('cache-control', 'no-store')
    return reply.send({
      object: 'ticket_stats',
      ...byStatus,
      running_here: context.desk?.running ?? 0,
      ...(waitedMs === undefined ? {} : { oldest_queued_seconds: Math.max(0, Math.round(waitedMs / 1_000)) }),
    })
  })
}

const listBody = <Entry>(data: readonly Entry[], nextCursor: string | undefined) => ({
  object: 'list',
  data,
  ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }),
})

/** One ticket: looking at it, and cancelling it. */
function addSingleRoutes(instance: FastifyInstance, context: TicketContext, find: FindTicket): void {
  const { store, access } = context

  instance.get<Named>('/tickets/:id', { config: describedAs('getTicket', SEE) }, async (request, reply) => {
    const ticket = await find(request)
    if (wantsStream(request)) {
      const lastEventId = request.headers['last-event-id'] ?? request.query.starting_after
      return streamTicket(context, ticket, { request, reply, lastEventId })
    }
    const waitMs = readWait(request.query.wait)
    if (waitMs === undefined) return show(context, reply, ticket)
    return show(
      context,
      reply,
      await waitForEnd(context, ticket, { waitMs, signal: waitSignal(context, reply) }),
    )
  })

  instance.delete<Named>(
    '/tickets/:id',
    { config: describedAs('deleteTicket', SEND) },
    async (request, reply) => {
      const before = await find(request)
      access.checkCancel(request, before)
      if (isFinished(before) && before.state.status !== 'cancelled') {
        throw endedAlready(before)
      }
      const ticket = (await store.cancel(before.id)) ?? before
      const signal = waitSignal(context, reply)
      const ended = await waitForEnd(context, ticket, { waitMs: CANCEL_WAIT_MS, signal })
      // It came to its own end first, between the look and the cancellation or while its backend was being stopped.
      if (isFinished(ended) && ended.state.status !== 'cancelled') throw endedAlready(ended)
      reply.code(isFinished(ended) ? 200 : 202)
      return show(context, reply, ended)
    },
  )
}

const endedAlready = ({ state }: Ticket) =>
  problem('conflict', `The ticket is ${state.status}; there is nothing left to cancel.`)

async function show(context: TicketContext, reply: FastifyReply, ticket: Ticket): Promise<FastifyReply> {
  const { store, prefix } = context
  const delivery = (await deliveriesFor(store, [ticket])).get(ticket.id)
  reply.header('cache-control', 'no-store')
  if (isFinished(ticket)) {
    const body = finishedBody(ticket, { prefix, event: true, delivery })
    return reply.type('application/json; charset=utf-8').send(body)
  }
  reply.header('retry-after', '2')
  return reply.send(
    ticketBody(ticket, {
      prefix,
      event: true,
      text: textOf(context.desk?.textOf(ticket.id), ticket),
      delivery,
    }),
  )
}

/** Many who wait for one large ticket get the same ticket, and its words once. */
const finishedBodies = new WeakMap<Ticket, Buffer>()

function finishedBody(ticket: Ticket, options: TicketBodyOptions): Buffer {
  const known = finishedBodies.get(ticket)
  if (known) return known
  const made = Buffer.from(JSON.stringify(ticketBody(ticket, options)))
  // That of its callback may be another one the next time.
  if (ticket.callbackUrl === undefined) finishedBodies.set(ticket, made)
  return made
}

interface Named {
  readonly Params: { readonly id: string }
  readonly Querystring: Readonly<Record<string, unknown>>
}

/** The history of a ticket's callback, and sending it again. `find` throws where the caller may not see the ticket. */
function addCallbackRoutes(
  instance: FastifyInstance,
  context: TicketContext,
  find: (request: FastifyRequest<Named>) => Promise<Ticket>,
): void {
  const { store } = context

  instance.get<Named>(
    '/callbacks',
    { config: describedAs('getAllCallbacks', READ) },
    async (request, reply) => {
      const { rows, nextCursor } = await store.listRows(readCallbackQuery(request.query))
      const ids = rows.map(({ id }) => id)
      const found = ids.length === 0 ? new Map() : await store.callbacks.find(ids)
      const data = ids.flatMap((id) => found.get(id) ?? []).map(deliveryBody)
      reply.header('cache-control', 'no-store')
      return reply.send(listBody(data, nextCursor))
    },
  )
  instance.get<Named>(
    '/tickets/:id/callbacks',
    { config: describedAs('getCallbacks', ['events', 'read']) },
    async (request, reply) => {
      const ticket = await find(request)
      const { callbackUrl } = ticket
      const delivery = (await deliveriesFor(store, [ticket])).get(ticket.id)
      const data = callbackUrl === undefined ? [] : [callbackBody(ticket, callbackUrl, delivery)]
      reply.header('cache-control', 'no-store')
      return reply.send({ object: 'list', data })
    },
  )

  instance.post<Named>(
    '/tickets/:id/callbacks/resend',
    { config: describedAs('postResend', ['admin']) },
    async (request, reply) => {
      const ticket = await find(request)
      const { callbackUrl } = ticket
      if (callbackUrl === undefined) throw problem('not_found', 'This ticket has no `callback_url`.')
      checkCallback(context, callbackUrl)
      const delivery = await store.callbacks.resend(ticket.id)
      if (delivery === undefined) {
        throw problem('conflict', 'This ticket has not ended; its callback is sent when it has.')
      }
      return reply.code(202).send(callbackBody(ticket, callbackUrl, delivery))
    },
  )
}
