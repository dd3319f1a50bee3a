import { FAILURES, type Failure } from '@ai-ticket/core'
import { RequestProblem, replyToFailure } from '@ai-ticket/http-server'
import { type BatchEntry, replyToCaller } from '@ai-ticket/http-server/cloudevents'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isFinished, type Ticket } from '../ticket/ticket.ts'
import { acceptEvent, type EventOrigin, hasCallback, markReplayed, replyAccepted } from './accept-event.ts'
import { originOf, type ReadEvent, readEvent, readOrigin } from './read-event.ts'
import { addressOf, type TicketBody, ticketBody } from './ticket-body.ts'
import { failureOfOne, problem, type TicketContext, waitSignal } from './ticket-context.ts'
import { streamTicket, waitForEnd, wantsStream } from './watch-ticket.ts'

/** How long a `POST /event` with a key and no `timeout_ms` may take. */
const DEFAULT_TIMEOUT_MS = 600_000

/** Whether a `POST /event` asks for anything that makes it a ticket. Most do not, and pay for a few questions only. */
export const mayBeDiverted = ({ headers, cloudEvents, body }: FastifyRequest): boolean =>
  headers.prefer !== undefined ||
  headers['idempotency-key'] !== undefined ||
  cloudEvents !== undefined ||
  hasCallback(body)

/**
 * `POST /event` where it becomes a ticket: with `Prefer: respond-async`, answered 202 or, where `wait=N` was enough, with
 * the outcome; with an `Idempotency-Key`, a `callback_url` or as a CloudEvent, answered like any other event, but a caller that hangs up finds
 * the answer again by the key, or by sending the same CloudEvent; and as a batch. False: an event like any other.
 */
export async function divertEvent(
  context: TicketContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const preferences = readPrefer(request.headers.prefer)
  const { cloudEvents } = request
  if (cloudEvents?.mode === 'batched') {
    if (preferences.respondAsync) reply.header('preference-applied', 'respond-async')
    await acceptBatch(context, { request, reply, door: 'event' }, cloudEvents.entries)
    return true
  }
  const origin = originOf(request)
  const hasKey = request.headers['idempotency-key'] !== undefined
  if (!preferences.respondAsync && !hasKey && origin === undefined && !hasCallback(request.body)) return false
  const event = origin === undefined ? readEvent(context, request.body) : readOrigin(context, origin)
  if (preferences.respondAsync) {
    await answerLater(context, { request, reply, preferences, event, origin })
    return true
  }
  const { timeout_ms } = event.event
  const timeoutMs = typeof timeout_ms === 'number' ? timeout_ms : DEFAULT_TIMEOUT_MS
  // The caller waits: what does not work within the time of the event fails, as without a key.
  const expiresAt = event.expiresAt ?? Math.trunc(context.clock.wallTime()) + timeoutMs
  const isStreamed = wantsStream(request)
  const accepted = await acceptEvent(
    context,
    request,
    { ...event, door: 'event', expiresAt, wantsStream: isStreamed },
    origin,
  )
  markReplayed(reply, accepted.isKnown)
  if (isStreamed) {
    await streamTicket(context, accepted.ticket, { request, reply })
    return true
  }
  const signal = waitSignal(context, reply)
  const ticket = await waitForEnd(context, accepted.ticket, { waitMs: undefined, signal })
  if (!('outcome' in ticket.state)) replyAccepted(reply, { ...accepted, ticket }, context)
  else sendOutcome(context, { request, reply }, ticket)
  return true
}

interface AsyncExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly preferences: Preferences
  readonly event: ReadEvent
  readonly origin: EventOrigin | undefined
}

async function answerLater(
  context: TicketContext,
  { request, reply, preferences, event, origin }: AsyncExchange,
): Promise<void> {
  const accepted = await acceptEvent(context, request, { ...event, door: 'event' }, origin)
  reply.header('preference-applied', 'respond-async')
  const { waitMs } = preferences
  if (waitMs === undefined) return void replyAccepted(reply, accepted, context)
  const signal = waitSignal(context, reply)
  const ticket = await waitForEnd(context, accepted.ticket, { waitMs, signal })
  if (!isFinished(ticket) || !('outcome' in ticket.state))
    return void replyAccepted(reply, { ...accepted, ticket }, context)
  markReplayed(reply, accepted.isKnown)
  reply.header('location', addressOf(ticket, context))
  sendOutcome(context, { request, reply }, ticket)
}

function sendOutcome(
  { clock }: TicketContext,
  { request, reply }: Pick<AsyncExchange, 'request' | 'reply'>,
  { id, state }: Ticket,
): void {
  if (!('outcome' in state)) return
  const { status, headers, body } = replyToCaller(request, state.outcome, { clock, subject: id })
  reply.code(status).headers(headers).send(body)
}

/** The preferences of a caller, RFC 7240. Unknown preferences are ignored. */
export interface Preferences {
  readonly respondAsync: boolean
  readonly waitMs?: number
}

export function readPrefer(header: string | readonly string[] | undefined): Preferences {
  const parts = [header ?? []].flat().join(',').split(',')
  const tokens = parts.map((part) => (part.split(';', 1)[0] ?? '').trim().toLowerCase())
  const seconds = tokens.map((token) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(token)?.[1]).find(Boolean)
  return {
    respondAsync: tokens.includes('respond-async'),
    ...(seconds === undefined ? {} : { waitMs: Number(seconds) * 1_000 }),
  }
}

/** The result for one event of a batch. `source` and `id` are null where they cannot be read. */
interface EntryBody {
  readonly source: string | null
  readonly id: string | null
  /** The status that the event alone would have been answered with. */
  readonly status: number
  readonly ticket?: TicketBody
  readonly error?: string
  readonly details?: string
}

/**
 * Takes in each event of a batch as if it had come alone, all at once, so that they share a commit. `202`, and an entry for
 * each in their order. Where the server could take none at all, it says so as for a single event, so that the sender
 * comes back; what was accepted is not accepted twice. Throws a `RequestProblem`.
 */
export async function acceptBatch(
  context: TicketContext,
  exchange: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly door: string },
  entries: readonly BatchEntry[],
): Promise<FastifyReply> {
  const { request, reply, door } = exchange
  if (request.headers['idempotency-key'] !== undefined) {
    throw problem(
      'invalid_request',
      'An Idempotency-Key is for one event. In a batch, source and id of each are its key.',
    )
  }
  const answers = await Promise.all(entries.map((entry) => acceptEntry(context, { request, door }, entry)))
  const refusals = answers.flatMap(({ failure }) => failure ?? [])
  const [first] = refusals
  if (first !== undefined && refusals.length === answers.length && refusals.every(isOurs))
    throw new RequestProblem(first)
  return reply.code(202).send({ object: 'list', data: answers.map(({ body }) => body) })
}

/** The server is the reason, not the event: it may be sent again. */
const isOurs = (failure: Failure): boolean => FAILURES[failure.code].passes !== 'never'

interface EntryAnswer {
  readonly body: EntryBody
  readonly failure?: Failure
}

async function acceptEntry(
  context: TicketContext,
  { request, door }: { readonly request: FastifyRequest; readonly door: string },
  entry: BatchEntry,
): Promise<EntryAnswer> {
  if ('failure' in entry) return refused(entry.failure, entry)
  const { id, source } = entry.cloudEvent
  try {
    const { ticket } = await acceptEvent(context, request, { ...readOrigin(context, entry), door }, entry)
    return { body: { source, id, status: 202, ticket: ticketBody(ticket, context) } }
  } catch (error) {
    return refused(failureOfOne(context, error, { request_id: request.id }), { id, source })
  }
}

function refused(failure: Failure, named: { readonly id?: string; readonly source?: string }): EntryAnswer {
  const { source = null, id = null } = named
  const { code: error, details } = failure
  return { failure, body: { source, id, status: replyToFailure(failure).status, error, details } }
}
