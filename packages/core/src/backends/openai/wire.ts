import * as v from 'valibot'
import { optionalNumber, optionalText } from '../http/completion-wire.ts'

// Only the fields we read are named; anything else may come and go.

export const modelsReply = v.object({
  data: v.array(
    v.object({
      id: v.string(),
      /** vLLM. */
      max_model_len: optionalNumber,
      /** OpenRouter. */
      context_length: optionalNumber,
      /** llama.cpp as a router, and of its loaded models the context. */
      status: v.fallback(v.optional(v.object({ value: v.string() })), undefined),
      meta: v.fallback(v.optional(v.object({ n_ctx: optionalNumber })), undefined),
    }),
  ),
})

/** llama.cpp. */
export const healthReply = v.object({ status: v.string() })
export const propsReply = v.object({
  default_generation_settings: v.object({ n_ctx: optionalNumber }),
  build_info: optionalText,
})
export const slotsReply = v.array(v.object({ is_processing: v.boolean() }))

/** vLLM says the count, llama.cpp only lists the tokens. Neither: the path is not there, whatever the status. */
export const tokenizeReply = v.object({
  count: optionalNumber,
  tokens: v.fallback(v.nullish(v.array(v.unknown())), undefined),
})
export const templateReply = v.object({ prompt: v.string() })

/** The models that Ollama has in memory. */
export const loadedReply = v.object({
  models: v.array(v.object({ name: v.string(), context_length: optionalNumber })),
})

/** The models that llama-swap has started. */
export const runningReply = v.object({
  running: v.array(v.object({ model: v.string(), state: v.string() })),
})

/** All models of LM Studio. */
export const statesReply = v.object({
  data: v.array(v.object({ id: v.string(), state: v.string(), loaded_context_length: optionalNumber })),
})
