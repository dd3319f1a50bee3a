import type { FinishReason, SuccessOutcome, Usage } from '@ai-ticket/core'

/** What the answer to one request is made of, beside the outcome. */
export interface CompletionContext {
  readonly shape: CompletionShape
  /** As the caller wrote it. */
  readonly model: string | undefined
  /** Unix time in seconds. */
  readonly created: number
}

/** The id of the event, in OpenAI's words, so that an answer leads to its lines in the log. */
export const completionId = ({ idPrefix }: CompletionShape, eventId: string): string =>
  idPrefix + eventId.replace(/^evt_/, '')

/** A whole answer. */
export function completionBody(
  outcome: SuccessOutcome,
  { shape, model, created }: CompletionContext,
): object {
  const { warnings } = outcome
  const usage = usageOf(outcome.usage)
  return {
    id: completionId(shape, outcome.id),
    object: shape.object,
    created,
    model: outcome.model ?? model ?? 'default',
    choices: [shape.choice(outcome)],
    ...(usage === undefined ? {} : { usage }),
    // Not OpenAI's; clients pass over what they do not know.
    ...(warnings === undefined ? {} : { warnings }),
  }
}

/** Text of a stream, as it came. */
interface Piece {
  readonly text: string
  readonly reasoning?: string | undefined
}

/** How chats and completions differ, once they are answered. */
export interface CompletionShape {
  readonly idPrefix: string
  readonly object: string
  readonly chunkObject: string
  /** The choice of a whole answer. */
  choice(outcome: SuccessOutcome): object
  /** The choice of a stream's first chunk, where there is one before any text. */
  readonly opening: object | undefined
  /** Undefined: nothing that this shape has a place for. */
  delta(piece: Piece): object | undefined
  /** The choices after the last text: what only comes whole, then the finish reason. */
  ending(outcome: SuccessOutcome): readonly object[]
}

const chunkChoice = (delta: object, finish_reason: string | null = null) => ({
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
  opening: chunkChoice({ role: 'assistant', content: '' }),
  delta({ text, reasoning }: Piece) {
    if (text === '' && !reasoning) return undefined
    return chunkChoice({
      ...(reasoning ? { reasoning_content: reasoning } : {}),
      ...(text === '' ? {} : { content: text }),
    })
  },
  ending: ({ tool_calls = [], finish_reason }) => [
    ...tool_calls.map((call, index) => chunkChoice({ tool_calls: [{ index, ...call }] })),
    chunkChoice({}, finish_reason),
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

const textChoice = (text: string, finish_reason: FinishReason | null = null) => ({
  text,
  index: 0,
  logprobs: null,
  // A completion has no tools.
  finish_reason: finish_reason === 'tool_calls' ? 'stop' : finish_reason,
})

/** `text_completion`, whole and in chunks. It has no place for reasoning, which is left out. */
export const textShape: CompletionShape = {
  idPrefix: 'cmpl-',
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: ({ completion, finish_reason }) => textChoice(completion, finish_reason),
  opening: undefined,
  delta: ({ text }) => (text === '' ? undefined : textChoice(text)),
  ending: ({ finish_reason }) => [textChoice('', finish_reason)],
}

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
