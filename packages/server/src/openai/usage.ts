import type { Usage } from '@ai-ticket/core'

export interface OpenAiUsage extends Usage {
  total_tokens: number
}

/** Undefined where the server does not really know: a made-up number would be billed or learned from. */
export const usageOf = (usage: Usage | null): OpenAiUsage | undefined =>
  usage === null
    ? undefined
    : {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        total_tokens: usage.prompt_tokens + usage.completion_tokens,
      }
