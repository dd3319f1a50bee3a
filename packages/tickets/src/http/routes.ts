import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isFinished, type Ticket } from '../ticket.ts'
import { acceptEvent, replyAccepted } from './accept-event.ts'
import { problem, unknownTicket } from './problems.ts'
import { readEvent } from './read-event.ts'
import { readQuery, readWait } from './read-query.ts'
import { ticketBody } from './ticket-body.ts'
import { type TicketContext, textOf, waitSignal } from './ticket-context.ts'
import { streamTicket } from './ticket-stream.ts'
import { waitForEnd } from './wait-for-end.ts'

interface Named {
  readonly Params: { readonly id: string }
  readonly Querystring: Readonly<Record<string, unknown>>
}

/** How long a cancellation waits to see the generation stopped. */
const CANCEL_WAIT_MS = 5_000

export function addTicketRoutes(instance: FastifyInstance, context: TicketContext, bodyLimit: number): void {
  const { store } = context

  const find = async (id: string): Promise<Ticket> => {
    const ticket = await store.get(id)
    if (ticket === undefined) throw unknownTicket()
    return ticket
  }

  const show = (reply: FastifyReply, ticket: Ticket): FastifyReply => {
    reply.header('cache-control', 'no-store')
    if (!isFinished(ticket)) reply.header('retry-after', '2')
    return reply.send(
      ticketBody(ticket, { event: true, text: isFinished(ticket) ? '' : textOf(context, ticket) }),
    )
  }

  instance.post('/tickets', { bodyLimit }, async (request, reply) =>
    replyAccepted(reply, await acceptEvent(context, request, readEvent(request.body))),
  )

  instance.get<Named>('/tickets', async (request, reply) => {
    const { tickets, nextCursor } = await store.list(readQuery(request.query))
    const data = tickets.map((ticket) => ticketBody(ticket, { event: true }))
    reply.header('cache-control', 'no-store')
    return reply.send({
      object: 'list',
      data,
      ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }),
    })
  })

  instance.get('/tickets/stats', async (_request, reply) => {
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

  instance.get<Named>('/tickets/:id', async (request, reply) => {
    const ticket = await find(request.params.id)
    if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
      const lastEventId = request.headers['last-event-id'] ?? request.query.starting_after
      return streamTicket(context, ticket, { request, reply, lastEventId })
    }
    const waitMs = readWait(request.query.wait)
    if (waitMs === undefined) return show(reply, ticket)
    return show(reply, await waitForEnd(context, ticket, { waitMs, signal: waitSignal(context, reply) }))
  })

  instance.delete<Named>('/tickets/:id', async (request, reply) => {
    const before = await find(request.params.id)
    if (isFinished(before) && before.state.status !== 'cancelled') {
      throw problem('conflict', `The ticket is ${before.state.status}; there is nothing left to cancel.`)
    }
    const ticket = (await store.cancel(before.id)) ?? before
    const signal = waitSignal(context, reply)
    const ended = await waitForEnd(context, ticket, { waitMs: CANCEL_WAIT_MS, signal })
    reply.code(isFinished(ended) ? 200 : 202)
    return show(reply, ended)
  })

  instance.post<Named>('/tickets/:id/replay', { bodyLimit }, async (request, reply) => {
    const origin = await find(request.params.id)
    const accepted = await acceptEvent(context, request, {
      ...readEvent(replayedEvent(origin, request)),
      replayOf: origin.id,
    })
    return replyAccepted(reply, accepted)
  })
}

/** The event of the ticket; what the body names is put in its place. It is a new event with an id of its own. */
function replayedEvent({ event }: Ticket, { body }: FastifyRequest): unknown {
  if (event === null) {
    throw problem(
      'gone',
      'The content of this event was not kept (AI_TICKET_HISTORY). Send it as a new event.',
    )
  }
  if (body !== undefined && (typeof body !== 'object' || body === null || Array.isArray(body))) {
    throw problem(
      'invalid_input_format',
      'The body of a replay is empty or an object with the fields to change.',
    )
  }
  const { id: _former, ...rest } = event
  return { ...rest, ...body }
}
