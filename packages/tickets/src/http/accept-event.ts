import { createHash } from 'node:crypto'
import { traceArrival } from '@ai-ticket/core'
import { type CloudEvent, traceHeadersOf } from '@ai-ticket/http-server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Idempotency, NewTicket } from '../ticket/new-ticket.ts'
import { StoreUnavailable } from '../ticket/store-unavailable.ts'
import type { Ticket } from '../ticket/ticket.ts'
import type { Accepted } from '../ticket/ticket-store.ts'
import { addressOf, ticketBody } from './ticket-body.ts'
import { problem, type TicketContext } from './ticket-context.ts'

export interface AcceptedEvent {
  readonly ticket: Ticket
  /** The key was known: nothing new was taken. */
  readonly isKnown: boolean
}

/** An event that is to be taken in; who sends it, its key and its trace are those of the request. */
export interface ArrivingEvent extends Omit<NewTicket, 'caller' | 'sender' | 'idempotency' | 'trace'> {
  /** The trace of the ticket that it repeats. */
  readonly follows?: NewTicket['trace']
  /** What its sender asked for, by which a request is known again. Default: the body of the request. */
  readonly asked?: unknown
}

/**
 * Takes an event in. When this has resolved, the ticket is on disk. `origin`: the CloudEvent that brought it. Throws a
 * `RequestProblem`.
 */
export async function acceptEvent(
  context: TicketContext,
  request: FastifyRequest,
  { follows, asked = request.body, ...given }: ArrivingEvent,
  origin?: EventOrigin,
): Promise<AcceptedEvent> {
  if (given.callbackUrl !== undefined) checkCallback(context, given.callbackUrl)
  const caller = context.callerOf(request)
  const idempotency = readIdempotency(context, { request, asked, origin })
  const headers = await traceArrival({
    name: 'ai_ticket accept',
    headers: traceHeadersOf(request, origin?.cloudEvent),
    attributes: { 'ai_ticket.event.id': given.eventId },
    follows,
  })
  const trace = headers && traceOf(headers)
  const accepted = await context.store
    .accept({
      ...given,
      ...placed(context, request, given),
      caller,
      ...senderOf(caller, request),
      ...(trace && { trace }),
      ...(idempotency && { idempotency }),
    })
    .catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error
      context.logger.error('ticket not accepted', { request_id: request.id, error })
      throw problem('store_unavailable', refusalOf(error))
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
      throw problem('capacity_exceeded', fullStore(accepted), { retryAfterMs: 30_000 })
    default:
      return { ticket: accepted.ticket, isKnown: accepted.type === 'existing' }
  }
}

/** With the priority that its request, its key or its door gives it; it runs with that one. */
function placed(
  { prioritise }: TicketContext,
  request: FastifyRequest,
  { event }: Pick<NewTicket, 'event'>,
): Partial<Pick<NewTicket, 'event' | 'priority'>> {
  const prioritised = prioritise(event, request)
  const { priority } = prioritised
  // Its own stands as it is: it was read with the event.
  return prioritised === event || typeof priority !== 'number' ? {} : { event: prioritised, priority }
}

/** Callers without a key are told apart by their address, as in the waiting line of the dispatcher. */
const senderOf = (caller: string, { ip }: FastifyRequest) => (caller === '' ? { sender: ip } : {})

const fullStore = ({ queued, capacity, limit }: Accepted & { readonly type: 'full' }): string =>
  limit === 'store'
    ? `${queued} tickets wait, as many as may (${capacity}). Come back later.`
    : `${queued} tickets wait. The last places of ${capacity} are for callers who have few tickets waiting, and you have many. Come back when some of yours have run.`

/** What the sender of an event hears when the store did not take it. */
export const refusalOf = ({ problem: kind }: StoreUnavailable): string =>
  kind === 'unknown'
    ? 'The ticket store did not say whether it has taken the ticket. Send the same request again: with an `Idempotency-Key` (or as a CloudEvent) it is taken once, whichever it was; without one, look into GET /tickets?event_id=… first.'
    : 'The ticket store cannot be written. Nothing was accepted; try again.'

/** The headers that a run needs; other propagators may have added more. */
function traceOf({ traceparent, tracestate }: NonNullable<NewTicket['trace']>): NewTicket['trace'] {
  if (traceparent === undefined) return undefined
  return { traceparent, ...(tracestate !== undefined && { tracestate }) }
}

/** `202`, where to look, and the ticket. */
export function replyAccepted(
  reply: FastifyReply,
  { ticket, isKnown }: AcceptedEvent,
  context: Pick<TicketContext, 'prefix'>,
): FastifyReply {
  markReplayed(reply, isKnown)
  return reply
    .code(202)
    .header('location', addressOf(ticket, context))
    .header('retry-after', '2')
    .send(ticketBody(ticket, context))
}

export function markReplayed(reply: FastifyReply, isKnown: boolean): void {
  if (isKnown) reply.header('idempotency-replayed', 'true')
}

/** A CloudEvent, and the event that it carries. */
export interface EventOrigin {
  readonly cloudEvent: CloudEvent
  readonly event: unknown
}

/**
 * By what a request is known again when it is repeated: its `Idempotency-Key`, bare or as the string of a structured field
 * (clients send both); else source and id of its CloudEvent. Throws a `RequestProblem` for an invalid key.
 */
function readIdempotency(
  { idempotencyTtlMs: ttlMs, callerOf }: TicketContext,
  {
    request,
    asked,
    origin,
  }: {
    readonly request: FastifyRequest
    readonly asked: unknown
    readonly origin: EventOrigin | undefined
  },
): Idempotency | undefined {
  const scope = callerOf(request)
  const header = request.headers['idempotency-key']
  if (header === undefined) return origin && { scope, ...nameOf(origin), ttlMs }
  const given = [header].flat().join(',').trim()
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw problem('invalid_request', 'Idempotency-Key must have 1 to 255 printable ASCII characters.')
  }
  return { scope, key, fingerprint: fingerprintOf(request, asked), ttlMs }
}

/**
 * It stays the same when the keys come in another order: some languages write objects in another one each time. An
 * address that names something, such as the ticket of a replay, is told apart from one that names something else.
 */
function fingerprintOf({ method, routeOptions, params }: FastifyRequest, asked: unknown): string {
  const named = Object.values(params as Readonly<Record<string, string>>)
  return digestOf(JSON.stringify([method, routeOptions.url, asked ?? null, ...named], withSortedKeys))
}

/**
 * It stays the same whatever the mode and the address, and when a proxy on the way has rewritten the JSON. The key
 * is a digest because a source may be longer than an index takes.
 */
function nameOf({
  cloudEvent: { source, id },
  event,
}: EventOrigin): Pick<Idempotency, 'key' | 'fingerprint'> {
  return {
    key: `cloudevent:${digestOf(JSON.stringify([source, id]))}`,
    fingerprint: digestOf(JSON.stringify(event, withSortedKeys)),
  }
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Throws a `RequestProblem` where the operator does not want callbacks, or none to this address. */
export function checkCallback({ callbacks }: Pick<TicketContext, 'callbacks'>, url: string): void {
  if (callbacks === undefined) {
    throw problem(
      'callback_not_allowed',
      'This server sends no callbacks; its operator allows addresses with AI_TICKET_CALLBACK_ALLOW. Leave `callback_url` out and ask GET /tickets/:id, with ?wait=30s.',
    )
  }
  const checked = callbacks.check(url)
  if (!checked.ok) throw problem('callback_not_allowed', checked.details)
}

/** A `POST /event` with one becomes a ticket, so that there is an end to tell of even when the caller has hung up. */
export const hasCallback = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && 'callback_url' in event && event.callback_url != null
