import {
  ContentPartSchema,
  ContentSchema,
  EventSchema,
  MessageListSchema,
  MessageSchema,
  ParametersSchema,
} from '@ai-ticket/core/schemas'
import * as v from 'valibot'
import { described } from './operation.ts'
import { FailureCodeSchema, FailureOutcomeSchema, SuccessOutcomeSchema } from './outcome-schemas.ts'

/** What the fields of an event are for. */
export const EVENT_WORDS = {
  content: 'What is asked: a text, `{"prompt": …}`, `{"messages": […]}`, a list, or any JSON.',
  id: 'Yours; echoed. Default: `evt_` and a UUID.',
  model: 'A model by name, or an alias. `default` is any.',
  backend: 'A configured backend by name.',
  parameters: 'Sampling and length. They win over those inside `content`.',
  schema: 'JSON Schema of the answer.',
  timeout_ms: 'How long the event may take in all. Default 600,000.',
  priority: 'Higher goes first. Default 0.',
  metadata: 'Returned and searchable; never sent to a model.',
  context_policy: 'What happens to a prompt longer than the context of the model.',
} as const satisfies Record<keyof typeof EventSchema.entries, string>

export const EventBodySchema = v.pipe(
  described(EventSchema, EVENT_WORDS),
  v.description(
    'An event. Null means unset. Unknown fields are ignored; `warnings` of the outcome names those that look like known ones.',
  ),
)

const DeltaSchema = v.object({ text: v.string(), reasoning: v.exactOptional(v.string()) })

/** What an answer with a schema says so far. */
const PartialSchema = v.object({ data: v.unknown() })

const { error, details, ...rest } = FailureOutcomeSchema.pipe[0].entries
const told = v.object(rest)

/** A failure after the head of a stream was sent; without the outcome where the server itself failed. */
export const StreamFailureSchema = v.object({
  error,
  details,
  status: v.pipe(v.number(), v.integer(), v.description('The HTTP status that it would have had.')),
  ...v.partial(told).entries,
})

/** The events of a stream that answers one event. */
export const EVENT_STREAM = {
  delta: DeltaSchema,
  partial: PartialSchema,
  done: SuccessOutcomeSchema,
  error: StreamFailureSchema,
}

export const EVENT_SCHEMAS = {
  Event: EventBodySchema,
  Content: ContentSchema,
  ContentPart: ContentPartSchema,
  Message: MessageSchema,
  MessageList: MessageListSchema,
  Parameters: ParametersSchema,
  StreamFailure: StreamFailureSchema,
  FailureCode: FailureCodeSchema,
}
