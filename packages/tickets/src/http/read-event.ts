import { inspectEvent, withoutUnknownFields } from '@ai-ticket/core'
import { singleOf } from '@ai-ticket/http-server/cloudevents'
import type { FastifyRequest } from 'fastify'
import { createEventId, type NewTicket } from '../ticket/new-ticket.ts'
import type { EventOrigin } from './accept-event.ts'
import { problem, type TicketContext } from './ticket-context.ts'

/** The event of a request, and when it may run: checked now, because later there is no caller to tell. */
export type ReadEvent = Pick<
  NewTicket,
  'event' | 'eventId' | 'priority' | 'notBefore' | 'expiresAt' | 'callbackUrl'
>

type TimeOf = Pick<TicketContext, 'clock'>

/** Throws a `RequestProblem` with the code that `POST /event` would answer. `isChat`: as chat APIs take it, see `NewTicket`. */
export function readEvent({ clock }: TimeOf, body: unknown, isChat = false): ReadEvent {
  if (body === undefined) throw problem('invalid_request', 'The body is empty. Send an event as JSON.')
  const inspected = inspectEvent(body, { takesAnyTurn: isChat })
  if (!inspected.ok) throw problem(inspected.failure.code, inspected.failure.details)
  const { not_before, expires_at, callback_url, ...event } = body as Record<string, unknown>
  // Whether it is allowed is seen when the event is accepted.
  if (callback_url != null && typeof callback_url !== 'string') {
    throw problem(
      'invalid_input_format',
      '`callback_url` must be a text like https://hooks.example.com/done.',
    )
  }
  const { id = createEventId(clock.wallTime()), priority } = inspected.value
  const notBefore = readTime('not_before', not_before)
  const expiresAt = readTime('expires_at', expires_at)
  if (notBefore !== undefined && expiresAt !== undefined && expiresAt <= notBefore) {
    throw problem('invalid_input_format', '`expires_at` must be later than `not_before`.')
  }
  return {
    event: { ...(withoutUnknownFields(event) as object), id },
    eventId: id,
    priority,
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(callback_url == null ? {} : { callbackUrl: callback_url }),
  }
}

const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/i

/** Milliseconds since 1970 of an ISO 8601 time with its zone. */
export function readTime(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const time = typeof value === 'string' && ISO_8601.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(time)) {
    throw problem('invalid_input_format', `\`${name}\` must be a time like 2027-01-31T08:00:00Z.`)
  }
  return time
}

/** The one CloudEvent of a request, where it came as one. */
export function originOf(request: FastifyRequest): EventOrigin | undefined {
  const incoming = singleOf(request)
  return incoming && { cloudEvent: incoming.cloudEvent, event: request.body }
}

/** The event of a CloudEvent. After its `expirytime` it does not begin. Throws a `RequestProblem`. */
export function readOrigin(context: TimeOf, { cloudEvent, event }: EventOrigin): ReadEvent {
  const { expires_at, ...rest } = event as Readonly<Record<string, unknown>>
  return readEvent(context, { ...rest, expires_at: expires_at ?? cloudEvent.attributes.expirytime })
}
