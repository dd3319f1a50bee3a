import { FAILURE_CODES, FAILURES } from '@ai-ticket/core'
import type { Operation } from '@ai-ticket/http-server/openapi'
import { described } from '@ai-ticket/http-server/openapi'
import * as v from 'valibot'

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const record = v.record(v.string(), v.unknown())

const AnthropicErrorSchema = v.pipe(
  v.object({
    type: v.literal('error'),
    error: v.object({
      type: v.picklist([
        ...([
          'invalid_request_error',
          'authentication_error',
          'permission_error',
          'not_found_error',
        ] as const),
        ...(['request_too_large', 'rate_limit_error', 'timeout_error', 'overloaded_error'] as const),
        'api_error',
      ]),
      message: v.string(),
    }),
    request_id: v.pipe(v.string(), v.description('Also in `X-Request-Id`, and in the log.')),
  }),
  v.description("A failure, as Anthropic's clients read it."),
)

const UsageSchema = described(
  v.object({
    input_tokens: count,
    output_tokens: count,
    cache_creation_input_tokens: v.literal(0),
    cache_read_input_tokens: v.literal(0),
  }),
  { input_tokens: '0 where the backend does not really know.' },
)

const stopReason = v.picklist(['end_turn', 'max_tokens', 'tool_use', 'refusal'])
const toolUse = { type: v.literal('tool_use'), id: v.string(), name: v.string(), input: record }
const thinking = { type: v.literal('thinking'), thinking: v.string(), signature: v.literal('') }

const message = {
  id: v.string(),
  type: v.literal('message'),
  role: v.literal('assistant'),
  model: v.string(),
}

const MessageSchema = v.object({
  ...message,
  content: v.array(
    v.variant('type', [
      v.object({ type: v.literal('text'), text: v.string(), citations: v.null() }),
      v.object(thinking),
      v.object(toolUse),
    ]),
  ),
  stop_reason: stopReason,
  stop_sequence: v.null(),
  usage: UsageSchema,
})

const named = <Name extends string, Fields extends v.ObjectEntries>(type: Name, fields: Fields) =>
  v.object({ type: v.literal(type), ...fields })

const index = { index: count }

const EVENTS = {
  message_start: named('message_start', {
    message: v.object({
      ...message,
      content: v.pipe(v.array(v.unknown()), v.length(0)),
      stop_reason: v.null(),
      stop_sequence: v.null(),
      usage: UsageSchema,
    }),
  }),
  content_block_start: named('content_block_start', {
    ...index,
    content_block: v.variant('type', [
      v.object({ type: v.literal('text'), text: v.literal('') }),
      v.object({ ...thinking, thinking: v.literal('') }),
      v.object(toolUse),
    ]),
  }),
  content_block_delta: named('content_block_delta', {
    ...index,
    delta: v.variant('type', [
      v.object({ type: v.literal('text_delta'), text: v.string() }),
      v.object({ type: v.literal('thinking_delta'), thinking: v.string() }),
      v.object({ type: v.literal('input_json_delta'), partial_json: v.string() }),
    ]),
  }),
  content_block_stop: named('content_block_stop', index),
  message_delta: named('message_delta', {
    delta: v.object({ stop_reason: stopReason, stop_sequence: v.null() }),
    usage: UsageSchema,
  }),
  message_stop: named('message_stop', {}),
  ping: named('ping', {}),
  error: AnthropicErrorSchema,
}

const content = v.union([v.string(), v.array(record)])

const prompt = {
  model: v.nullish(v.string()),
  messages: v.pipe(
    v.array(v.object({ role: v.picklist(['user', 'assistant', 'system']), content })),
    v.minLength(1),
  ),
  system: v.nullish(content),
  tools: v.nullish(v.array(record)),
  tool_choice: v.nullish(v.object({ type: v.picklist(['auto', 'any', 'tool', 'none']) })),
  thinking: v.nullish(record),
  output_config: v.nullish(record),
}

const WORDS = {
  model: 'A name that a backend knows, where there is a choice; else any.',
  messages: 'Text, images as base64, documents that are text, calls of tools and their results.',
  output_config: '`effort`; `format` of type `json_schema`, with the schema that the answer has to match.',
}

const MessagesRequestSchema = v.pipe(
  described(
    v.object({
      ...prompt,
      max_tokens: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))),
      stream: v.nullish(v.boolean()),
      temperature: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(5))),
      top_p: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
      top_k: v.nullish(v.pipe(v.number(), v.integer())),
      stop_sequences: v.nullish(v.array(v.pipe(v.string(), v.minLength(1)))),
      metadata: v.nullish(record),
    }),
    { ...WORDS, max_tokens: 'A ceiling: it is cut to the room that the prompt leaves.' },
  ),
  v.description('Fields that are not listed here are ignored; null means unset.'),
)

const CountRequestSchema = v.pipe(
  described(v.object(prompt), WORDS),
  v.description('The request whose prompt is counted. Fields that are not listed here are ignored.'),
)

const SCHEMAS = { AnthropicError: AnthropicErrorSchema, AnthropicMessage: MessageSchema }

/** What every answer but a failure has. */
const headers = { 'request-id': { description: 'The same as `X-Request-Id`.', required: true } }

const EVENT_FAILURES = FAILURE_CODES.filter((code) => FAILURES[code].stage !== 'edge')

export const createMessage: Operation = {
  operationId: 'createMessage',
  summary: 'Answer a conversation',
  description:
    'With `"stream": true` the answer comes as events. The head waits for the first text, but not for more than 15 s, so ' +
    'that an error before it has its status; a later one is an event `error`, and the connection breaks behind it.',
  tag: 'Anthropic',
  body: {
    content: {
      'application/json': {
        schema: MessagesRequestSchema,
        examples: {
          message: { max_tokens: 1_024, messages: [{ role: 'user', content: 'Why is the sky blue?' }] },
        },
      },
    },
  },
  answers: {
    200: {
      description: 'The message.',
      headers,
      content: {
        'application/json': { schema: MessageSchema },
        'text/event-stream': { schema: v.string(), events: EVENTS },
      },
    },
  },
  failures: EVENT_FAILURES,
  schemas: { ...SCHEMAS, MessagesRequest: MessagesRequestSchema },
}

export const countMessageTokens: Operation = {
  operationId: 'countMessageTokens',
  summary: 'Count the tokens of a conversation',
  description:
    'Counted by a backend that could answer. Where none can count, it is an estimate from the length. It waits for no slot.',
  tag: 'Anthropic',
  body: {
    content: {
      'application/json': {
        schema: CountRequestSchema,
        examples: { count: { messages: [{ role: 'user', content: 'Why is the sky blue?' }] } },
      },
    },
  },
  answers: {
    200: {
      description: 'The count.',
      headers,
      content: { 'application/json': { schema: v.object({ input_tokens: count }) } },
    },
  },
  failures: EVENT_FAILURES,
  schemas: { ...SCHEMAS, MessagesCountRequest: CountRequestSchema },
}
