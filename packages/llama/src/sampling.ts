import type { GenerationRequest } from '@ai-ticket/core'
import type { LLamaContextualRepeatPenalty, Token } from 'node-llama-cpp'
import type { Engine } from './open-engine.ts'

/** The parameters in the words of node-llama-cpp. What is not given is off: its own default punishes repetition. */
export function toSampling({ library, model }: Engine, { parameters }: GenerationRequest) {
  const { temperature, top_p, top_k, min_p, seed, logit_bias } = parameters
  const bias = logit_bias && new library.TokenBias(model.tokenizer)
  for (const [token, logit] of Object.entries(logit_bias ?? {})) bias?.set(Number(token) as Token, { logit })
  return {
    temperature,
    topP: top_p,
    repeatPenalty: toPenalty(parameters),
    ...(top_k !== undefined && { topK: Math.max(top_k, 0) }),
    ...(min_p !== undefined && { minP: min_p }),
    ...(seed !== undefined && { seed: seed >>> 0 }),
    ...(bias && { tokenBias: bias }),
  }
}

function toPenalty({
  repetition_penalty,
  presence_penalty,
  frequency_penalty,
}: GenerationRequest['parameters']): false | LLamaContextualRepeatPenalty {
  if ((repetition_penalty ?? presence_penalty ?? frequency_penalty) === undefined) return false
  return {
    penalty: repetition_penalty ?? 1,
    ...(presence_penalty !== undefined && { presencePenalty: presence_penalty }),
    ...(frequency_penalty !== undefined && { frequencyPenalty: frequency_penalty }),
  }
}
