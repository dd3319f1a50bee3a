import { createHash } from 'node:crypto'
import type { CloudEvent } from '@ai-ticket/server/cloudevents'
import type { FastifyRequest } from 'fastify'
import type { Idempotency } from '../ticket/new-ticket.ts'
import { problem } from './problems.ts'
import type { TicketContext } from './ticket-context.ts'

/** A CloudEvent, and the event that it carries. */
export interface EventOrigin {
  readonly cloudEvent: CloudEvent
  readonly event: unknown
}

/**
 * By what a request is known again when it is repeated: its `Idempotency-Key`, bare or as the string of a structured field
 * (clients send both); else source and id of its CloudEvent. Throws a `RequestProblem` for a key that is none.
 */
export function readIdempotency(
  { idempotencyTtlMs: ttlMs, callerOf }: TicketContext,
  request: FastifyRequest,
  origin: EventOrigin | undefined,
): Idempotency | undefined {
  const scope = callerOf(request)
  const header = request.headers['idempotency-key']
  if (header === undefined) return origin && { scope, ...nameOf(origin), ttlMs }
  const given = [header].flat().join(',').trim()
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw problem('invalid_request', 'Idempotency-Key must have 1 to 255 printable ASCII characters.')
  }
  return { scope, key, fingerprint: fingerprintOf(request), ttlMs }
}

function fingerprintOf({ method, routeOptions, body }: FastifyRequest): string {
  return digestOf(JSON.stringify([method, routeOptions.url, body ?? null]))
}

/**
 * It stays the same whatever the mode and the address, and when something on the way has written the JSON anew. The key
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
