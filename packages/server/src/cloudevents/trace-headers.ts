import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { CloudEvent } from './cloud-event.ts'
import { singleOf } from './incoming.ts'

/** Trace, span and flags; ids of zeros only are invalid. */
const IDS = '(?!0{32})[\\da-f]{32}-(?!0{16})[\\da-f]{16}-[\\da-f]{2}'
/** Versions after 00 may say more at the end; ff is none. */
const TRACEPARENT = new RegExp(`^(?:00-${IDS}|(?!00|ff)[\\da-f]{2}-${IDS}(?:-[\\x21-\\x7e]*)?)$`)
const MAX_TRACEPARENT_LENGTH = 128
/** W3C asks to hand on at least 512 characters. */
const MAX_TRACESTATE_LENGTH = 2_048

/** The trace that a caller's request belongs to, to be handed on. What is not valid is dropped, and its state with it. */
export function traceHeaders({
  traceparent,
  tracestate,
}: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT_LENGTH) return undefined
  if (!TRACEPARENT.test(traceparent)) return undefined
  const keepsState = typeof tracestate === 'string' && tracestate.length <= MAX_TRACESTATE_LENGTH
  return keepsState ? { traceparent, tracestate } : { traceparent }
}

/** The trace that an event belongs to: by the header of its request, which is the hop; else by the extension. */
export function traceHeadersOf(
  request: FastifyRequest,
  cloudEvent: CloudEvent | undefined = singleOf(request)?.cloudEvent,
): Readonly<Record<string, string>> | undefined {
  return traceHeaders(request.headers) ?? traceHeaders(cloudEvent?.attributes ?? {})
}
