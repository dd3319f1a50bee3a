import * as v from 'valibot'
import type { Content, Parameter } from './operation.ts'
import { FailureOutcomeSchema, SuccessOutcomeSchema, timestamp } from './outcome-schemas.ts'

const text = v.pipe(v.string(), v.minLength(1))
const maybe = v.nullish(text)

/** CloudEvents 1.0 in structured mode, as they come in; `cloudevents/read-cloud-event.ts` checks the rest. */
export const CloudEventSchema = v.pipe(
  v.objectWithRest(
    {
      specversion: v.literal('1.0'),
      id: text,
      source: v.pipe(text, v.description('A URI-reference.')),
      type: text,
      subject: maybe,
      time: maybe,
      dataschema: maybe,
      datacontenttype: maybe,
      expirytime: v.nullish(v.pipe(text, v.description('The `expires_at` of the ticket.'))),
      data: v.optional(v.unknown()),
      data_base64: v.nullish(v.string()),
    },
    v.nullish(v.union([v.string(), v.boolean(), v.pipe(v.number(), v.integer())])),
  ),
  v.description('A CloudEvent. Its data is an event, or the content of one.'),
)

const attributes = {
  specversion: v.literal('1.0'),
  id: text,
  source: text,
  subject: v.pipe(text, v.description('The ticket or the event that was answered.')),
  time: timestamp,
  causationid: v.pipe(text, v.description('The id of the CloudEvent that was answered.')),
  correlationid: v.exactOptional(v.string()),
  traceparent: v.exactOptional(v.string()),
  tracestate: v.exactOptional(v.string()),
  datacontenttype: v.literal('application/json'),
}

/** The answer to a CloudEvent in structured mode. */
export const CloudEventAnswerSchema = v.object({
  ...attributes,
  type: v.literal('dev.aiticket.event.completed.v1'),
  data: SuccessOutcomeSchema,
})

const CloudEventFailureSchema = v.object({
  ...attributes,
  type: v.literal('dev.aiticket.event.failed.v1'),
  data: FailureOutcomeSchema,
})

export const CLOUD_EVENT_SCHEMAS = {
  CloudEvent: CloudEventSchema,
  CloudEventAnswer: CloudEventAnswerSchema,
  CloudEventFailure: CloudEventFailureSchema,
}

const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  description,
  schema: v.string(),
})

/** What makes a request a CloudEvent in binary mode. */
export const CLOUD_EVENT_HEADERS: readonly Parameter[] = [
  header('Ce-Specversion', 'CloudEvents in binary mode: `1.0`. The body is then the data, JSON or text.'),
  header('Ce-Id', 'CloudEvents in binary mode.'),
  header(
    'Ce-Source',
    'CloudEvents in binary mode: a URI-reference. The same source and id is the same event.',
  ),
  header('Ce-Type', 'CloudEvents in binary mode.'),
]

/** Bodies beside JSON. */
export const CLOUD_EVENT_CONTENT: Readonly<Record<string, Content>> = {
  'application/cloudevents+json': { schema: CloudEventSchema },
  'text/*': { schema: v.pipe(v.string(), v.description('The data of a CloudEvent in binary mode.')) },
}
