import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { CloudEvent } from './cloud-event.ts'
import { singleOf } from './incoming.ts'

/** Trace, span and flags; ids of zeros only are invalid. */
const IDS = '(?!0{32})[\\da-f]{32}-(?!0{16})[\\da-f]{16}-[\\da-f]{2}'
/** Versions after 00 may say more at the end; ff is none. */
const TRACEPARENT = new RegExp(`^(?:00-${IDS}|(?!00|ff)[\\da-f]{2}-${IDS}(?:-[\\x21-\\x7e]*)?)$`)
const MAX_TRACEPARENT_LENGTH = 128
/** W3C Trace Context: a list of `key=value`, printable ASCII, of which 512 characters have to be handed on. */
const MAX_TRACESTATE_LENGTH = 512
const TRACESTATE_MEMBER =
  /^[ \t]*(?:[a-z\d][\w*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e][ \t]*)?$/
const MAX_TRACESTATE_MEMBERS = 32

/** The trace that a caller's request belongs to, to be handed on. What is not valid is dropped, and its state with it. */
export function traceHeaders({
  traceparent,
  tracestate,
}: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACEPARENT_LENGTH) return undefined
  if (!TRACEPARENT.test(traceparent)) return undefined
  return typeof tracestate === 'string' && isTraceState(tracestate)
    ? { traceparent, tracestate }
    : { traceparent }
}

function isTraceState(text: string): boolean {
  if (text.length > MAX_TRACESTATE_LENGTH) return false
  const members = text.split(',')
  return members.length <= MAX_TRACESTATE_MEMBERS && members.every((member) => TRACESTATE_MEMBER.test(member))
}

/** The trace that an event belongs to: by the header of its request, which is the hop; else by the extension. */
export function traceHeadersOf(
  request: FastifyRequest,
  cloudEvent: CloudEvent | undefined = singleOf(request)?.cloudEvent,
): Readonly<Record<string, string>> | undefined {
  return traceHeaders(request.headers) ?? traceHeaders(cloudEvent?.attributes ?? {})
}
