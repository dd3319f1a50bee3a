import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isJsonType, parseJsonBody, refuseEncodedBody } from '../http/json-body.ts'
import { RequestProblem } from '../http/request-problem.ts'
import { REQUIRED, unsupportedType } from './cloud-event.ts'
import { type Incoming, readIncoming } from './incoming.ts'

/**
 * Bodies are events: JSON, or CloudEvents 1.0 in binary, structured or batched mode; for all routes of the instance. Any
 * other body is refused before it is read. A browser asks permission before it sends one of these types, or a `ce-`
 * header, to a foreign site, so a page elsewhere cannot post events.
 */
export function acceptEvents(instance: FastifyInstance): void {
  if (!instance.hasRequestDecorator('cloudEvents')) instance.decorateRequest('cloudEvents', undefined)
  instance.addHook('onRequest', (request, _reply, done) => {
    const { headers } = request.raw
    const mode = contentModeOf(headers)
    if (mode === 'unknown_format') return done(UNKNOWN_FORMAT)
    const type = headers['content-type']
    done(mode === undefined && type !== undefined && !isJsonType(type) ? NO_EVENT : undefined)
  })
  instance.removeAllContentTypeParsers()
  instance.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      refuseEncodedBody(request.headers['content-encoding'])
      done(null, readBody(request, bytes))
    } catch (error) {
      done(error as Error)
    }
  })
}

function readBody(request: FastifyRequest, bytes: Buffer): unknown {
  const mode = contentModeOf(request.headers)
  if (mode === undefined) {
    if (request.headers['content-type'] === undefined) throw NO_EVENT
    return refuseMislabelled(parseJsonBody(bytes))
  }
  if (mode === 'unknown_format') throw UNKNOWN_FORMAT
  const { incoming, body } = readIncoming(request.raw, mode, bytes)
  request.cloudEvents = incoming
  return body
}

/** The value itself. Throws a `RequestProblem` for a CloudEvent, or a list of them, whose `Content-Type` does not say so. */
function refuseMislabelled(body: unknown): unknown {
  const isList = Array.isArray(body)
  if (!(isList ? body.length > 0 && body.every(looksLikeCloudEvent) : looksLikeCloudEvent(body))) return body
  const type = isList ? 'application/cloudevents-batch+json' : 'application/cloudevents+json'
  throw new RequestProblem({
    code: isList ? 'invalid_input_format' : 'missing_content_field',
    details: `The body looks like ${isList ? 'a batch of CloudEvents' : 'a CloudEvent'}. Send it with \`Content-Type: ${type}\`.`,
  })
}

/** An event with a `content` is one of ours, whatever else is in it. */
const looksLikeCloudEvent = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !('content' in value) &&
  'specversion' in value &&
  ('source' in value || 'type' in value || 'data' in value)

const NO_EVENT = unsupportedType(
  'Send the event as JSON, with `Content-Type: application/json`, or as a CloudEvent.',
)

const UNKNOWN_FORMAT = unsupportedType(
  'Send CloudEvents as application/cloudevents+json, as application/cloudevents-batch+json, or in binary mode.',
)

const FORMATS: Readonly<Record<string, Incoming['mode']>> = {
  'application/cloudevents+json': 'structured',
  'application/cloudevents-batch+json': 'batched',
}

/** How a request says that it brings CloudEvents: by its `Content-Type`, else by `ce-` headers. */
function contentModeOf(headers: IncomingHttpHeaders): Incoming['mode'] | 'unknown_format' | undefined {
  const type = headers['content-type']
  if (type !== undefined && /^application\/cloudevents/i.test(type)) {
    return FORMATS[type.split(';', 1)[0]?.trim().toLowerCase() ?? ''] ?? 'unknown_format'
  }
  return REQUIRED.some((name) => headers[`ce-${name}`] !== undefined) ? 'binary' : undefined
}
