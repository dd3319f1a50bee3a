import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Idempotency, NewTicket } from '../new-ticket.ts'
import { StoreUnavailable } from '../store-unavailable.ts'
import type { Ticket } from '../ticket.ts'
import { problem } from './problems.ts'
import { ticketBody } from './ticket-body.ts'
import type { TicketContext } from './ticket-context.ts'

export interface AcceptedEvent {
  readonly ticket: Ticket
  /** The key was known: nothing new was taken. */
  readonly isKnown: boolean
}

/** Takes an event in. When this has resolved, the ticket is on disk. Throws a `RequestProblem`. */
export async function acceptEvent(
  context: TicketContext,
  request: FastifyRequest,
  given: Omit<NewTicket, 'caller' | 'idempotency'>,
): Promise<AcceptedEvent> {
  const caller = context.callerOf(request)
  const idempotency = readIdempotency(context, request, caller)
  const accepted = await context.store
    .accept({ ...given, caller, ...(idempotency === undefined ? {} : { idempotency }) })
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
        'This Idempotency-Key was used before for another request. Use a new one for each event.',
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

/** Bare or as the string of a structured field: clients send both. */
function readIdempotency(
  { idempotencyTtlMs }: TicketContext,
  request: FastifyRequest,
  scope: string,
): Idempotency | undefined {
  const header = request.headers['idempotency-key']
  if (header === undefined) return undefined
  const given = [header].flat().join(',').trim()
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw problem('invalid_request', 'Idempotency-Key must have 1 to 255 printable ASCII characters.')
  }
  return { scope, key, fingerprint: fingerprintOf(request), ttlMs: idempotencyTtlMs }
}

function fingerprintOf({ method, routeOptions, body }: FastifyRequest): string {
  const text = JSON.stringify([method, routeOptions.url, body ?? null])
  return createHash('sha256').update(text).digest('base64url')
}
