import { replyToOutcome } from '@ai-ticket/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isFinished } from '../ticket.ts'
import { acceptEvent, markReplayed, replyAccepted } from './accept-event.ts'
import { type Preferences, readPrefer } from './prefer.ts'
import { readEvent } from './read-event.ts'
import { type TicketContext, waitSignal } from './ticket-context.ts'
import { streamTicket } from './ticket-stream.ts'
import { waitForEnd } from './wait-for-end.ts'

/** How long a `POST /event` with a key and no `timeout_ms` may take. */
const DEFAULT_TIMEOUT_MS = 600_000

/**
 * `POST /event` where it becomes a ticket: with `Prefer: respond-async`, answered 202 or, where `wait=N` was enough, with
 * the outcome; and with an `Idempotency-Key`, answered like any other event, but a caller that hangs up finds the answer
 * again by the key. False: an event like any other.
 */
export async function divertEvent(
  context: TicketContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const preferences = readPrefer(request.headers.prefer)
  const hasKey = request.headers['idempotency-key'] !== undefined
  if (!preferences.respondAsync && !hasKey) return false
  const event = readEvent(request.body)
  if (preferences.respondAsync) {
    await answerLater(context, { request, reply, preferences, event })
    return true
  }
  const { timeout_ms } = event.event
  const timeoutMs = typeof timeout_ms === 'number' ? timeout_ms : DEFAULT_TIMEOUT_MS
  // Somebody waits: what does not work within the time of the event fails, as without a key.
  const expiresAt = event.expiresAt ?? Math.trunc(context.clock.wallTime()) + timeoutMs
  const accepted = await acceptEvent(context, request, { ...event, expiresAt })
  markReplayed(reply, accepted.isKnown)
  if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
    await streamTicket(context, accepted.ticket, { request, reply })
    return true
  }
  const signal = waitSignal(context, reply)
  const ticket = await waitForEnd(context, accepted.ticket, { waitMs: undefined, signal })
  if (!('outcome' in ticket.state)) replyAccepted(reply, { ...accepted, ticket })
  else sendOutcome(reply, ticket.state.outcome)
  return true
}

interface AsyncExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly preferences: Preferences
  readonly event: ReturnType<typeof readEvent>
}

async function answerLater(
  context: TicketContext,
  { request, reply, preferences, event }: AsyncExchange,
): Promise<void> {
  const accepted = await acceptEvent(context, request, event)
  reply.header('preference-applied', 'respond-async')
  const { waitMs } = preferences
  if (waitMs === undefined) return void replyAccepted(reply, accepted)
  const signal = waitSignal(context, reply)
  const ticket = await waitForEnd(context, accepted.ticket, { waitMs, signal })
  if (!isFinished(ticket) || !('outcome' in ticket.state))
    return void replyAccepted(reply, { ...accepted, ticket })
  markReplayed(reply, accepted.isKnown)
  reply.header('location', `/tickets/${ticket.id}`)
  sendOutcome(reply, ticket.state.outcome)
}

function sendOutcome(reply: FastifyReply, outcome: Parameters<typeof replyToOutcome>[0]): void {
  const { status, headers, body } = replyToOutcome(outcome)
  reply.code(status).headers(headers).send(body)
}
