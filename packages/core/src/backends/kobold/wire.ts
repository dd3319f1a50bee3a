import * as v from 'valibot'
import { finishReason, optionalCount, optionalNumber, optionalText } from '../http/completion-wire.ts'

// Only the fields we read are named; anything else may come and go. A side field of the wrong type is passed over,
// a main one (text, results) makes the reply one of the wrong shape.

export const nativeReply = v.object({
  results: v.array(
    v.object({
      text: v.string(),
      finish_reason: finishReason,
      prompt_tokens: optionalCount,
      completion_tokens: optionalCount,
    }),
  ),
})

export const nativeChunk = v.object({ token: v.string(), finish_reason: finishReason })

/** The answer to an abort holds strings, not booleans. */
export const abortReply = v.object({ success: v.unknown() })

export const perfReply = v.object({
  idle: optionalNumber,
  queue: optionalNumber,
  stop_reason: optionalNumber,
  last_token_count: optionalNumber,
  last_process: optionalNumber,
  last_eval: optionalNumber,
  last_process_speed: optionalNumber,
  last_eval_speed: optionalNumber,
  total_gens: optionalNumber,
  uptime: optionalNumber,
})

export const versionReply = v.object({
  version: optionalText,
  protected: v.fallback(v.optional(v.boolean()), undefined),
  vision: v.fallback(v.optional(v.boolean()), undefined),
  llm: v.fallback(v.optional(v.boolean()), undefined),
  router: v.fallback(v.optional(v.boolean()), undefined),
})

/** What a router can load; it wants the admin password for that. */
export const optionsReply = v.array(v.string())

export const modelReply = v.object({ result: v.string() })
export const modelsReply = v.object({ data: v.array(v.object({ id: v.string() })) })
export const contextLengthReply = v.object({ value: v.number() })
export const tokenCountReply = v.object({
  value: v.number(),
  prompt: optionalText,
  ids: v.fallback(v.optional(v.array(v.number())), undefined),
})
