import { singleOf } from '@ai-ticket/server/cloudevents'
import type { FastifyRequest } from 'fastify'
import type { EventOrigin } from './idempotency.ts'
import { type ReadEvent, readEvent } from './read-event.ts'

/** The one CloudEvent of a request, where it came as one. */
export function originOf(request: FastifyRequest): EventOrigin | undefined {
  const incoming = singleOf(request)
  return incoming && { cloudEvent: incoming.cloudEvent, event: request.body }
}

/** The event of a CloudEvent. Its `expirytime` is when it need not begin any more. Throws a `RequestProblem`. */
export function readOrigin({ cloudEvent, event }: EventOrigin): ReadEvent {
  const { expires_at, ...rest } = event as Readonly<Record<string, unknown>>
  return readEvent({ ...rest, expires_at: expires_at ?? cloudEvent.attributes.expirytime })
}
