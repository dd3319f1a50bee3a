import type { Failure } from '@ai-ticket/core'

/** A request in OpenAI's dialect, as the desk understands it. */
export interface AskedCompletion {
  /** For the dispatcher, which checks types and ranges. */
  readonly event: Readonly<Record<string, unknown>>
  /** The model's name as the caller wrote it; undefined: any. */
  readonly model: string | undefined
  readonly stream: boolean
  /** A stream ends with a chunk that holds the usage. */
  readonly includeUsage: boolean
}

export type ReadCompletion =
  | { readonly ok: true; readonly value: AskedCompletion }
  | { readonly ok: false; readonly failure: Failure }
