import type { FinishReason } from '@ai-ticket/core'
import type { CompletionShape } from './completion-shape.ts'

const choice = (text: string, finish_reason: FinishReason | null = null) => ({
  text,
  index: 0,
  logprobs: null,
  // A completion knows no tools.
  finish_reason: finish_reason === 'tool_calls' ? 'stop' : finish_reason,
})

/** `text_completion`, whole and in chunks. It has no place for reasoning, which is left out. */
export const textShape: CompletionShape = {
  idPrefix: 'cmpl-',
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: ({ completion, finish_reason }) => choice(completion, finish_reason),
  opening: undefined,
  delta: ({ text }) => (text === '' ? undefined : choice(text)),
  ending: ({ finish_reason }) => [choice('', finish_reason)],
}
