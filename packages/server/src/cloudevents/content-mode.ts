import type { IncomingHttpHeaders } from 'node:http'
import { REQUIRED } from './cloud-event.ts'
import type { Incoming } from './incoming.ts'

const FORMATS: Readonly<Record<string, Incoming['mode']>> = {
  'application/cloudevents+json': 'structured',
  'application/cloudevents-batch+json': 'batched',
}

/** How a request says that it brings CloudEvents: by its `Content-Type`, else by `ce-` headers. */
export function contentModeOf(headers: IncomingHttpHeaders): Incoming['mode'] | 'unknown_format' | undefined {
  const type = headers['content-type']
  if (type !== undefined && /^application\/cloudevents/i.test(type)) {
    return FORMATS[type.split(';', 1)[0]?.trim().toLowerCase() ?? ''] ?? 'unknown_format'
  }
  return REQUIRED.some((name) => headers[`ce-${name}`] !== undefined) ? 'binary' : undefined
}
