import type { OpenAIBackendOptions } from '@ai-ticket/core'

/** An option that the backend gains does not compile here until it is named, and does not pass until it is documented. */
export const OPENAI_OPTIONS: Readonly<Record<keyof OpenAIBackendOptions, true>> = {
  url: true,
  name: true,
  apiKey: true,
  model: true,
  models: true,
  template: true,
  connectTimeoutMs: true,
  tokenTimeoutMs: true,
  clock: true,
  fetch: true,
}
