import { RequestProblem } from '../http/request-problem.ts'
import type { CloudEvent } from './cloud-event.ts'

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
  return typeof metadata === 'object' && !Array.isArray(metadata) ? { ...origin, ...metadata } : metadata
}
