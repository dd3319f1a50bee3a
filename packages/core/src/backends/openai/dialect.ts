/** What this server takes of the options that not every server takes. */
export interface Dialect {
  /** `stream_options.include_usage`, which older vLLM, Mistral and some gateways refuse. */
  readonly streamUsage: boolean
  /** OpenAI's reasoning models refuse `max_tokens` and name the other one. */
  readonly lengthOption: 'max_tokens' | 'max_completion_tokens'
}

export const fullDialect: Dialect = { streamUsage: true, lengthOption: 'max_tokens' }

/**
 * What a refusal says of the dialect: with this change the same request may be taken. Undefined: it was refused for
 * another reason. Mistral answers 422 where others say 400.
 */
export function learnDialect(spoken: Dialect, status: number, text: string): Partial<Dialect> | undefined {
  if (status !== 400 && status !== 422) return undefined
  if (spoken.streamUsage && /stream_options|include_usage/.test(text)) return { streamUsage: false }
  if (spoken.lengthOption === 'max_tokens' && /max_completion_tokens/.test(text)) {
    return { lengthOption: 'max_completion_tokens' }
  }
  return undefined
}
