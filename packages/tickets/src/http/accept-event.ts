import { traceArrival } from '@ai-ticket/core'
import { traceHeadersOf } from '@ai-ticket/server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceOf, withTrace } from '../ticket/event-trace.ts'
import type { NewTicket } from '../ticket/new-ticket.ts'
import { StoreUnavailable } from '../ticket/store-unavailable.ts'
import type { Ticket } from '../ticket/ticket.ts'
import { checkCallback } from './check-callback.ts'
import { type EventOrigin, readIdempotency } from './idempotency.ts'
import { problem } from './problems.ts'
import { ticketBody } from './ticket-body.ts'
import type { TicketContext } from './ticket-context.ts'

export interface AcceptedEvent {
  readonly ticket: Ticket
  /** The key was known: nothing new was taken. */
  readonly isKnown: boolean
}

/**
 * Takes an event in. When this has resolved, the ticket is on disk. `origin`: the CloudEvent that brought it. Throws a
 * `RequestProblem`.
 */
export async function acceptEvent(
  context: TicketContext,
  request: FastifyRequest,
  given: Omit<NewTicket, 'caller' | 'idempotency'>,
  origin?: EventOrigin,
): Promise<AcceptedEvent> {
  if (given.callbackUrl !== undefined) checkCallback(context, given.callbackUrl)
  const caller = context.callerOf(request)
  const idempotency = readIdempotency(context, request, origin)
  const trace = await traceArrival({
    name: 'ai_ticket accept',
    headers: traceHeadersOf(request, origin?.cloudEvent),
    attributes: { 'ai_ticket.event.id': given.eventId },
    // The event of a replay still names the trace of the ticket that it repeats.
    follows: given.replayOf === undefined ? undefined : traceOf(given.event),
  })
  const event = withTrace(given.event, trace)
  const accepted = await context.store
    .accept({ ...given, event, caller, ...(idempotency === undefined ? {} : { idempotency }) })
    .catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error
      context.logger.error('ticket not accepted', { request_id: request.id, error })
      throw problem(
        'store_unavailable',
        'The ticket store cannot be written. Nothing was accepted; try again.',
      )
    })
  switch (accepted.type) {
    case 'conflict':
      throw problem(
        'idempotency_key_reused',
        request.headers['idempotency-key'] === undefined
          ? 'A CloudEvent of this source and id was accepted before, with other data. Use a new id for each event.'
          : 'This Idempotency-Key was used before for another request. Use a new one for each event.',
      )
    case 'full':
      throw problem(
        'capacity_exceeded',
        `${accepted.queued} tickets wait; no more are taken. Come back later.`,
        {
          retryAfterMs: 30_000,
        },
      )
    default:
      return { ticket: accepted.ticket, isKnown: accepted.type === 'existing' }
  }
}

/** `202`, where to look, and the ticket. */
export function replyAccepted(reply: FastifyReply, { ticket, isKnown }: AcceptedEvent): FastifyReply {
  markReplayed(reply, isKnown)
  return reply
    .code(202)
    .header('location', `/tickets/${ticket.id}`)
    .header('retry-after', '2')
    .send(ticketBody(ticket))
}

export function markReplayed(reply: FastifyReply, isKnown: boolean): void {
  if (isKnown) reply.header('idempotency-replayed', 'true')
}
