import * as v from 'valibot'

// Only the fields we read are named; anything else may come and go. A side field of the wrong type is passed over,
// a main one (text, choices) makes the reply one of the wrong shape.

export const optionalText = v.fallback(v.nullish(v.string()), undefined)
export const optionalNumber = v.fallback(v.nullish(v.number()), undefined)
/**
 * An empty reason is none: Ollama, SGLang and gateways write it into all events but the last. The string "null" is what
 * KoboldCPP 1.76 writes into its streams.
 */
export const finishReason = v.fallback(
  v.pipe(
    v.nullish(v.string(), null),
    v.transform((reason) => (reason === null || NO_REASON.has(reason.trim()) ? null : reason)),
  ),
  null,
)
const NO_REASON: ReadonlySet<string> = new Set(['', 'null', 'None'])
const usage = v.fallback(
  v.nullish(v.object({ prompt_tokens: v.number(), completion_tokens: v.number() })),
  undefined,
)
const toolCall = v.object({
  index: optionalNumber,
  id: optionalText,
  function: v.nullish(
    v.object({
      name: optionalText,
      arguments: v.nullish(v.union([v.string(), v.record(v.string(), v.unknown())])),
    }),
  ),
})
const common = { id: optionalText, model: optionalText, usage }
/** Text, or one or several parts: text, thoughts, and what we do not know. A union would cost each token more. */
const content = v.nullish(v.custom<string | object>(isContent))
const message = v.object({
  content,
  reasoning_content: optionalText,
  /** What Ollama, OpenRouter and newer vLLM call it. */
  reasoning: optionalText,
  /** What OpenAI's models say instead of an answer. */
  refusal: optionalText,
  tool_calls: v.nullish(v.array(toolCall)),
})

export const chatReply = v.object({
  ...common,
  choices: v.array(v.object({ message, finish_reason: finishReason })),
})

/** An event without choices may hold usage, or be of another kind. */
export const chatChunk = v.object({
  ...common,
  choices: v.nullish(v.array(v.object({ delta: v.nullish(message), finish_reason: finishReason }))),
})

export const textReply = v.object({
  ...common,
  choices: v.array(v.object({ text: v.string(), finish_reason: finishReason })),
})

export const textChunk = v.object({
  ...common,
  choices: v.nullish(v.array(v.object({ text: v.nullish(v.string()), finish_reason: finishReason }))),
})

export type WireToolCall = v.InferOutput<typeof toolCall>
export type WireMessage = v.InferOutput<typeof message>

function isContent(value: unknown): boolean {
  if (typeof value === 'string' || Array.isArray(value)) return true
  return typeof value === 'object' && value !== null && 'type' in value
}
