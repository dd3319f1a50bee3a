import { EventSchema, MessageSchema, ParametersSchema } from '@ai-ticket/core/schemas'
import * as v from 'valibot'
import { EVENT_WORDS } from './event-schemas.ts'
import { described } from './operation.ts'
import { count, ToolCallSchema, timestamp, UsageSchema, warnings } from './outcome-schemas.ts'

const seconds = v.pipe(count, v.description('Unix time in seconds.'))
const finishReason = v.picklist(['stop', 'length', 'tool_calls', 'content_filter'])
const endOfText = v.picklist(['stop', 'length', 'content_filter'])
const index = v.literal(0)
const text = { text: v.string(), index, logprobs: v.null() }

export const OpenAiUsageSchema = v.object({ ...UsageSchema.entries, total_tokens: count })

const head = { id: v.string(), created: seconds, model: v.string() }
/** Absent where no server really knows. */
const usage = v.exactOptional(OpenAiUsageSchema)
/** With `stream_options.include_usage` every chunk has it: null, but in the last. */
const usageSoFar = v.exactOptional(v.nullable(OpenAiUsageSchema))

const ChatMessageSchema = v.object({
  role: v.literal('assistant'),
  content: v.nullable(v.string()),
  refusal: v.null(),
  reasoning_content: v.exactOptional(v.string()),
  tool_calls: v.exactOptional(v.array(ToolCallSchema)),
})

export const ChatCompletionSchema = v.object({
  ...head,
  object: v.literal('chat.completion'),
  choices: v.array(
    v.object({ index, message: ChatMessageSchema, logprobs: v.null(), finish_reason: finishReason }),
  ),
  usage,
  warnings,
})

const delta = v.object({
  role: v.exactOptional(v.literal('assistant')),
  content: v.exactOptional(v.string()),
  reasoning_content: v.exactOptional(v.string()),
  tool_calls: v.exactOptional(v.array(v.object({ index: count, ...ToolCallSchema.entries }))),
})

export const ChatCompletionChunkSchema = v.object({
  ...head,
  object: v.literal('chat.completion.chunk'),
  choices: v.array(v.object({ index, delta, logprobs: v.null(), finish_reason: v.nullable(finishReason) })),
  usage: usageSoFar,
  warnings,
})

export const TextCompletionSchema = v.object({
  ...head,
  object: v.literal('text_completion'),
  choices: v.array(v.object({ ...text, finish_reason: endOfText })),
  usage,
  warnings,
})

export const TextCompletionChunkSchema = v.object({
  ...head,
  object: v.literal('text_completion'),
  choices: v.array(v.object({ ...text, finish_reason: v.nullable(endOfText) })),
  usage: usageSoFar,
  warnings,
})

/** What OpenAI's streams end with. */
export const DoneSchema = v.literal('[DONE]')

// The types are in `routes/models.ts`; `schemas.test.ts` holds the two together.

export const ModelSchema = v.object({
  id: v.string(),
  object: v.literal('model'),
  created: seconds,
  owned_by: v.pipe(v.string(), v.description('The backend that serves it.')),
  type: v.literal('model'),
  display_name: v.string(),
  created_at: v.pipe(timestamp, v.description('The same time, as Anthropic writes it.')),
  context_length: v.exactOptional(v.pipe(count, v.description('In tokens, where the backend says so.'))),
  max_model_len: v.exactOptional(v.pipe(count, v.description('The same, by another name.'))),
})

export const ModelListSchema = v.object({
  object: v.literal('list'),
  data: v.array(ModelSchema),
  has_more: v.literal(false),
  first_id: v.nullable(v.string()),
  last_id: v.nullable(v.string()),
})

const one = v.nullish(v.literal(1))
const no = v.nullish(v.literal(false))
const nothing = v.optional(v.null())
const empty = v.nullish(v.union([v.literal(''), v.pipe(v.array(v.unknown()), v.length(0))]))

/** Options that are taken only with a value that asks for nothing; `openai/read-request.ts` refuses the rest by name. */
export const HarmlessOptionsSchema = v.object({
  n: one,
  best_of: one,
  echo: no,
  suffix: empty,
  functions: empty,
  function_call: nothing,
  modalities: v.nullish(v.array(v.literal('text'))),
  audio: nothing,
  memory: empty,
  images: empty,
})

const common = {
  model: v.nullish(v.union([v.literal(''), EventSchema.entries.model.wrapped])),
  stream: v.nullish(v.boolean()),
  stream_options: v.nullish(v.object({ include_usage: v.nullish(v.boolean()) })),
  ...ParametersSchema.pipe[1].entries,
  ...HarmlessOptionsSchema.entries,
}

const WORDS = { model: EVENT_WORDS.model, stream: 'The answer in chunks, as it is made.' }

/** A body of `POST /v1/chat/completions`. */
export const ChatRequestSchema = v.pipe(
  described(v.object({ messages: v.pipe(v.array(MessageSchema), v.minLength(1)), ...common }), WORDS),
  v.description(
    'What is not named here is ignored, null means unset; `warnings` of the answer names what looks like a known field.',
  ),
)

/** A body of `POST /v1/completions`. */
export const TextRequestSchema = v.pipe(
  described(
    v.object({ prompt: v.union([v.string(), v.pipe(v.array(v.string()), v.length(1))]), ...common }),
    WORDS,
  ),
  v.description(
    'What is not named here is ignored, null means unset; `warnings` of the answer names what looks like a known field.',
  ),
)
