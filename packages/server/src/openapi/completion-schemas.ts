import * as v from 'valibot'
import { count, ToolCallSchema, UsageSchema } from './outcome-schemas.ts'

const seconds = v.pipe(count, v.description('Unix time in seconds.'))
const finishReason = v.picklist(['stop', 'length', 'tool_calls'])
const endOfText = v.picklist(['stop', 'length'])
const index = v.literal(0)
const text = { text: v.string(), index, logprobs: v.null() }

export const OpenAiUsageSchema = v.object({ ...UsageSchema.entries, total_tokens: count })

const head = { id: v.string(), created: seconds, model: v.string() }
/** Absent where no server really knows. */
const usage = v.exactOptional(OpenAiUsageSchema)
/** With `stream_options.include_usage` every chunk has it: null, but in the last. */
const usageSoFar = v.exactOptional(v.nullable(OpenAiUsageSchema))

export const ChatMessageSchema = v.object({
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
})

export const TextCompletionSchema = v.object({
  ...head,
  object: v.literal('text_completion'),
  choices: v.array(v.object({ ...text, finish_reason: endOfText })),
  usage,
})

export const TextCompletionChunkSchema = v.object({
  ...head,
  object: v.literal('text_completion'),
  choices: v.array(v.object({ ...text, finish_reason: v.nullable(endOfText) })),
  usage: usageSoFar,
})

/** What OpenAI's streams end with. */
export const DoneSchema = v.literal('[DONE]')

// The types are in ../../openai/model-list.ts; `schemas.test.ts` holds the two together.

export const ModelSchema = v.object({
  id: v.string(),
  object: v.literal('model'),
  created: seconds,
  owned_by: v.pipe(v.string(), v.description('The backend that serves it.')),
})

export const ModelListSchema = v.object({ object: v.literal('list'), data: v.array(ModelSchema) })
