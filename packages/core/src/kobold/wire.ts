import * as v from 'valibot'

// Only the fields we read are named; anything else may come and go. A side field of the wrong type is passed over,
// a main one (text, choices, results) makes the reply one of the wrong shape.

const optionalText = v.fallback(v.nullish(v.string()), undefined)
const optionalNumber = v.fallback(v.nullish(v.number()), undefined)
/** The string "null" is what 1.76 writes into its streams. */
const finishReason = v.pipe(
  v.optional(v.nullable(v.string()), null),
  v.transform((reason) => (reason === 'null' ? null : reason)),
)
const usage = v.fallback(
  v.nullish(v.object({ prompt_tokens: v.number(), completion_tokens: v.number() })),
  undefined,
)
const toolCall = v.object({
  index: optionalNumber,
  id: optionalText,
  function: v.optional(
    v.object({
      name: optionalText,
      arguments: v.nullish(v.union([v.string(), v.record(v.string(), v.unknown())])),
    }),
  ),
})
const common = { id: optionalText, model: optionalText, usage }
const message = v.object({
  content: v.nullish(v.string()),
  reasoning_content: optionalText,
  tool_calls: v.nullish(v.array(toolCall)),
})

export const chatReply = v.object({
  ...common,
  choices: v.array(v.object({ message, finish_reason: finishReason })),
})

export const chatChunk = v.object({
  ...common,
  choices: v.array(v.object({ delta: v.nullish(message), finish_reason: finishReason })),
})

/** Reply and chunk have the same shape here. */
export const textReply = v.object({
  ...common,
  choices: v.array(v.object({ text: v.string(), finish_reason: finishReason })),
})

export const nativeReply = v.object({
  results: v.array(
    v.object({
      text: v.string(),
      finish_reason: finishReason,
      prompt_tokens: optionalNumber,
      completion_tokens: optionalNumber,
    }),
  ),
})

export const nativeChunk = v.object({ token: v.string(), finish_reason: finishReason })

/** The answer to an abort holds strings, not booleans. */
export const abortReply = v.object({ success: v.unknown(), done: v.unknown() })

export const perfReply = v.object({
  idle: optionalNumber,
  queue: optionalNumber,
  last_process: optionalNumber,
  last_eval: optionalNumber,
  last_process_speed: optionalNumber,
  last_eval_speed: optionalNumber,
})

export const versionReply = v.object({
  version: optionalText,
  protected: v.fallback(v.optional(v.boolean()), undefined),
  llm: v.fallback(v.optional(v.boolean()), undefined),
})

export const modelReply = v.object({ result: v.string() })
export const modelsReply = v.object({ data: v.array(v.object({ id: v.string() })) })
export const contextLengthReply = v.object({ value: v.number() })
export const tokenCountReply = v.object({ value: v.number(), prompt: optionalText })

export type WireToolCall = v.InferOutput<typeof toolCall>
export type WireUsage = v.InferOutput<typeof usage>
