import type { FastifyRequest } from 'fastify'
import type { CloudEvent } from './cloud-event.ts'
import { singleOf } from './incoming.ts'
import { traceHeaders } from './trace-headers.ts'

/** The trace that an event belongs to: by the header of its request, which is the hop; else by the extension. */
export function traceHeadersOf(
  request: FastifyRequest,
  cloudEvent: CloudEvent | undefined = singleOf(request)?.cloudEvent,
): Readonly<Record<string, string>> | undefined {
  return traceHeaders(request.headers) ?? traceHeaders(cloudEvent?.attributes ?? {})
}
