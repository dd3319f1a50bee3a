import type { IncomingMessage } from 'node:http'
import { type Failure, LongNumber } from '@ai-ticket/core'
import type { FastifyRequest } from 'fastify'
import { checkJson, parseJsonBody, readJson } from '../http/json-body.ts'
import { RequestProblem } from '../http/request-problem.ts'
import { type CloudEvent, invalidEvent } from './cloud-event.ts'
import { readBinary, readStructured } from './read-cloud-event.ts'

/** The CloudEvents of a request, in the mode in which they came. */
export type Incoming =
  | { readonly mode: 'binary' | 'structured'; readonly cloudEvent: CloudEvent }
  | { readonly mode: 'batched'; readonly entries: readonly BatchEntry[] }

/** One of a batch: the event that it carries, or why it carries none. */
export type BatchEntry =
  | { readonly cloudEvent: CloudEvent; readonly event: Record<string, unknown> }
  | { readonly failure: Failure; readonly id?: string; readonly source?: string }

export type SingleIncoming = Exclude<Incoming, { readonly mode: 'batched' }>

declare module 'fastify' {
  interface FastifyRequest {
    /** Set where the body came as CloudEvents. `body` is then the event that the one carries, or the list of a batch. */
    cloudEvents?: Incoming | undefined
  }
}

/** More events in one request are refused. */
export const MAX_BATCH_EVENTS = 100

/** Reads the body of a request in its mode. Throws a `RequestProblem`. */
export function readIncoming(
  raw: IncomingMessage,
  mode: Incoming['mode'],
  bytes: Buffer,
): { readonly incoming: Incoming; readonly body: unknown } {
  if (mode === 'batched') {
    const entries = readBatch(bytes)
    return { incoming: { mode, entries }, body: entries }
  }
  const cloudEvent = mode === 'binary' ? readBinary(raw, bytes) : readStructured(parseJsonBody(bytes))
  return { incoming: { mode, cloudEvent }, body: ticketEventOf(cloudEvent) }
}

/** One that is wrong does not spoil the others, so each is checked by itself. */
function readBatch(bytes: Buffer): BatchEntry[] {
  const list = readJson(bytes)
  if (!Array.isArray(list)) throw invalidEvent('A batch of CloudEvents is a JSON list.')
  if (list.length > MAX_BATCH_EVENTS) {
    throw new RequestProblem({
      code: 'payload_too_large',
      details: `A batch has at most ${MAX_BATCH_EVENTS} CloudEvents. Send several batches.`,
    })
  }
  return list.map(readEntry)
}

function readEntry(value: unknown): BatchEntry {
  try {
    const cloudEvent = readStructured(checkJson(value))
    return { cloudEvent, event: ticketEventOf(cloudEvent) }
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error
    return { failure: error.failure, ...nameOf(value) }
  }
}

function nameOf(value: unknown): { id?: string; source?: string } {
  if (typeof value !== 'object' || value === null) return {}
  const { id, source } = value as { id?: unknown; source?: unknown }
  return {
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof source === 'string' ? { source } : {}),
  }
}

/** The one CloudEvent that a request brought. */
export function singleOf({ cloudEvents }: FastifyRequest): SingleIncoming | undefined {
  return cloudEvents?.mode === 'batched' ? undefined : cloudEvents
}

/**
 * The event that a CloudEvent carries: its data where that is an event (an object with `content`), else one whose
 * `content` is the data. An `id` inside the data wins over the CloudEvent's. Where it came from goes into `metadata`, as
 * `ce_source`, `ce_type`, `ce_subject` and `ce_id`, beside what is there and never over it. Throws a `RequestProblem`.
 */
export function ticketEventOf(cloudEvent: CloudEvent): Record<string, unknown> {
  const { data } = cloudEvent
  if (data === undefined || data === null) {
    throw new RequestProblem({
      code: 'missing_content_field',
      details: 'The CloudEvent has no data. Send a prompt or an event as its data.',
    })
  }
  const event = isEvent(data) ? data : { content: data }
  return { ...event, id: event.id ?? cloudEvent.id, metadata: withOrigin(event.metadata, cloudEvent) }
}

const isEvent = (data: unknown): data is Record<string, unknown> =>
  typeof data === 'object' && data !== null && Object.hasOwn(data, 'content')

/** What cannot be metadata stays, to be refused as such. */
function withOrigin(metadata: unknown, { id, source, type, attributes: { subject } }: CloudEvent): unknown {
  const origin = {
    ce_id: id,
    ce_source: source,
    ce_type: type,
    ...(subject === undefined ? {} : { ce_subject: subject }),
  }
  if (metadata === undefined || metadata === null) return origin
  const isObject =
    typeof metadata === 'object' && !Array.isArray(metadata) && !(metadata instanceof LongNumber)
  return isObject ? { ...origin, ...metadata } : metadata
}
