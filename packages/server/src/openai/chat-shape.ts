import type { SuccessOutcome } from '@ai-ticket/core'
import type { CompletionShape, Piece } from './completion-shape.ts'

const choice = (delta: object, finish_reason: string | null = null) => ({
  index: 0,
  delta,
  logprobs: null,
  finish_reason,
})

/** `chat.completion`. Reasoning stands in `reasoning_content`, which is what local servers and their clients call it. */
export const chatShape: CompletionShape = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  choice: (outcome) => ({
    index: 0,
    message: messageOf(outcome),
    logprobs: null,
    finish_reason: outcome.finish_reason,
  }),
  opening: choice({ role: 'assistant', content: '' }),
  delta({ text, reasoning }: Piece) {
    if (text === '' && !reasoning) return undefined
    return choice({
      ...(reasoning ? { reasoning_content: reasoning } : {}),
      ...(text === '' ? {} : { content: text }),
    })
  },
  ending: ({ tool_calls = [], finish_reason }) => [
    ...tool_calls.map((call, index) => choice({ tool_calls: [{ index, ...call }] })),
    choice({}, finish_reason),
  ],
}

function messageOf({ completion, reasoning, tool_calls }: SuccessOutcome): object {
  return {
    role: 'assistant',
    content: completion === '' && tool_calls ? null : completion,
    refusal: null,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(tool_calls === undefined ? {} : { tool_calls }),
  }
}
