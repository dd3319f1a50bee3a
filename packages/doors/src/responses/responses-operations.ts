import { EVENT_FAILURES, type Operation, type Parameter } from '@ai-ticket/http-server/openapi'
import * as v from 'valibot'

const tag = 'OpenAI'
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const seconds = v.pipe(count, v.description('Unix time in seconds.'))
const anyObject = v.record(v.string(), v.unknown())
const status = v.picklist(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled'])
const itemStatus = v.picklist(['in_progress', 'completed', 'incomplete', 'failed'])

const TextPartSchema = v.object({
  type: v.literal('output_text'),
  text: v.string(),
  annotations: v.array(v.never()),
  logprobs: v.array(v.never()),
})

const ReasoningSchema = v.object({
  type: v.literal('reasoning'),
  id: v.string(),
  summary: v.array(v.never()),
  content: v.array(v.object({ type: v.literal('reasoning_text'), text: v.string() })),
})

const MessageSchema = v.object({
  type: v.literal('message'),
  id: v.string(),
  role: v.literal('assistant'),
  status: itemStatus,
  content: v.array(TextPartSchema),
})

const CallSchema = v.object({
  type: v.literal('function_call'),
  id: v.string(),
  call_id: v.string(),
  name: v.string(),
  arguments: v.pipe(v.string(), v.description('JSON text, as the model wrote it.')),
  status: itemStatus,
})

const UsageSchema = v.object({
  input_tokens: count,
  input_tokens_details: v.object({ cached_tokens: count }),
  output_tokens: count,
  output_tokens_details: v.object({ reasoning_tokens: count }),
  total_tokens: count,
})

const ResponseSchema = v.object({
  id: v.string(),
  object: v.literal('response'),
  created_at: seconds,
  completed_at: v.nullable(seconds),
  status,
  background: v.boolean(),
  store: v.pipe(v.boolean(), v.description('Whether it can be asked for later.')),
  model: v.string(),
  error: v.nullable(v.object({ code: v.string(), message: v.string() })),
  incomplete_details: v.nullable(v.object({ reason: v.picklist(['max_output_tokens', 'content_filter']) })),
  instructions: v.nullable(v.string()),
  previous_response_id: v.nullable(v.string()),
  output: v.array(v.union([ReasoningSchema, MessageSchema, CallSchema])),
  usage: v.nullable(UsageSchema),
  metadata: anyObject,
  max_output_tokens: v.nullable(count),
  temperature: v.nullable(v.number()),
  top_p: v.nullable(v.number()),
  tools: v.array(anyObject),
  tool_choice: v.union([v.string(), anyObject]),
  parallel_tool_calls: v.boolean(),
  reasoning: v.object({ effort: v.nullable(v.string()), summary: v.null() }),
  text: v.object({ format: anyObject }),
  truncation: v.picklist(['auto', 'disabled']),
})

/** Of the request; what stands in neither list of `read-response-request.ts` is ignored. */
const ResponseRequestSchema = v.looseObject({
  input: v.union([v.string(), v.array(anyObject)]),
  instructions: v.nullish(v.string()),
  model: v.nullish(v.string()),
  previous_response_id: v.nullish(v.string()),
  stream: v.nullish(v.boolean()),
  background: v.nullish(v.boolean()),
  store: v.nullish(v.boolean()),
  max_output_tokens: v.nullish(count),
  temperature: v.nullish(v.number()),
  top_p: v.nullish(v.number()),
  tools: v.nullish(v.array(anyObject)),
  tool_choice: v.nullish(v.union([v.string(), anyObject])),
  parallel_tool_calls: v.nullish(v.boolean()),
  reasoning: v.nullish(anyObject),
  text: v.nullish(anyObject),
  metadata: v.nullish(anyObject),
  truncation: v.nullish(v.string()),
})

const number = { sequence_number: count }
const at = { ...number, item_id: v.string(), output_index: count, content_index: count }
const item = v.object({ ...number, type: v.string(), output_index: count, item: anyObject })
const whole = v.object({ ...number, type: v.string(), response: ResponseSchema })
const part = v.object({ ...at, type: v.string(), part: TextPartSchema })
const piece = v.object({
  ...at,
  type: v.string(),
  delta: v.string(),
  logprobs: v.exactOptional(v.array(v.never())),
})
const said = v.object({
  ...at,
  type: v.string(),
  text: v.string(),
  logprobs: v.exactOptional(v.array(v.never())),
})
const ofCall = { ...number, type: v.string(), item_id: v.string(), output_index: count }

const EVENTS = {
  'response.created': whole,
  'response.queued': whole,
  'response.in_progress': whole,
  'response.output_item.added': item,
  'response.content_part.added': part,
  'response.output_text.delta': piece,
  'response.output_text.done': said,
  'response.content_part.done': part,
  'response.reasoning_text.delta': piece,
  'response.reasoning_text.done': said,
  'response.function_call_arguments.delta': v.object({ ...ofCall, delta: v.string() }),
  'response.function_call_arguments.done': v.object({ ...ofCall, name: v.string(), arguments: v.string() }),
  'response.output_item.done': item,
  'response.completed': whole,
  'response.incomplete': whole,
  'response.failed': whole,
  error: v.object({ ...number, type: v.string(), code: v.string(), message: v.string(), param: v.null() }),
}

const schemas = {
  ResponseRequest: ResponseRequestSchema,
  Response: ResponseSchema,
  ResponseMessage: MessageSchema,
  ResponseReasoning: ReasoningSchema,
  ResponseFunctionCall: CallSchema,
  ResponseUsage: UsageSchema,
}

const response = { 'application/json': { schema: ResponseSchema } }
const stream = { 'text/event-stream': { schema: v.string(), events: EVENTS } }
const fresh = { 'cache-control': { description: '`no-store`.', required: true } }

const id: Parameter = {
  name: 'id',
  in: 'path',
  description: 'The id of a response: `resp_` and the rest of the id of its ticket.',
  schema: v.string(),
}

export const postResponse: Operation = {
  operationId: 'createResponse',
  summary: "Answer in the format of OpenAI's Responses",
  description:
    'With `"stream": true` the answer comes as events; a failure after the head is `response.failed`. With ' +
    '`"background": true` it becomes a ticket and is answered at once; a reader of its stream may go and come back. ' +
    'Where such a stream cannot go on, it breaks off behind `error`: the response itself may not have failed.',
  tag,
  parameters: [
    {
      name: 'idempotency-key',
      in: 'header',
      description: 'With `background`: the same key and body give the same response.',
      schema: v.string(),
    },
  ],
  body: {
    content: {
      'application/json': {
        schema: ResponseRequestSchema,
        examples: { text: { input: 'Why is the sky blue?' } },
      },
    },
  },
  answers: { 200: { description: 'The response.', content: { ...response, ...stream } } },
  failures: [...EVENT_FAILURES, 'store_unavailable', 'idempotency_key_reused'],
  schemas,
}

export const getResponse: Operation = {
  operationId: 'getResponse',
  summary: 'Look at a stored response, or follow it',
  description:
    'With `stream=true` as events, from its beginning or behind `starting_after`. The numbers of the events of a stored ' +
    'response tell their place in the text: they grow, with gaps, and are the same each time.',
  tag,
  parameters: [
    id,
    { name: 'stream', in: 'query', description: '`true`: as events.', schema: v.picklist(['true', 'false']) },
    {
      name: 'starting_after',
      in: 'query',
      description: 'The `sequence_number` of the last event that you have.',
      schema: count,
    },
  ],
  answers: {
    200: { description: 'The response.', headers: fresh, content: { ...response, ...stream } },
  },
  failures: ['not_found', 'invalid_input_format', 'store_unavailable'],
  schemas,
}

export const getResponseInputItems: Operation = {
  operationId: 'listResponseInputItems',
  summary: 'What a stored response was asked',
  tag,
  parameters: [id],
  answers: {
    200: {
      description: 'All items, without the instructions.',
      headers: fresh,
      content: {
        'application/json': {
          schema: v.object({
            object: v.literal('list'),
            data: v.array(anyObject),
            first_id: v.nullable(v.string()),
            last_id: v.nullable(v.string()),
            has_more: v.literal(false),
          }),
        },
      },
    },
  },
  failures: ['not_found', 'store_unavailable'],
  schemas,
}

export const postResponseCancel: Operation = {
  operationId: 'cancelResponse',
  summary: 'Cancel a background response, down to the GPU',
  description: 'One that has ended is shown as it is.',
  tag,
  parameters: [id],
  answers: { 200: { description: 'The response as it is then.', headers: fresh, content: response } },
  failures: ['not_found', 'invalid_input_format', 'forbidden', 'store_unavailable'],
  schemas,
}

export const deleteResponse: Operation = {
  operationId: 'deleteResponse',
  summary: 'Delete a stored response; one that runs is cancelled first',
  tag,
  parameters: [id],
  answers: {
    200: {
      description: 'It is gone.',
      content: {
        'application/json': {
          schema: v.object({ id: v.string(), object: v.literal('response'), deleted: v.literal(true) }),
        },
      },
    },
  },
  failures: ['not_found', 'forbidden', 'conflict', 'store_unavailable'],
  schemas,
}
