import type { Failure, FailureOutcome, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import type { HttpReply, StreamDialect } from '@ai-ticket/http-server'
import { failureOfOutcome } from '../shared/failure-headers.ts'
import { koboldDialect } from './kobold-dialect.ts'

/** KoboldCPP says `stop` at the end of the text only: a stop string, the limit, a filter and an abort are all `length`. */
type KoboldFinish = 'stop' | 'length'

export function finishOf({
  finish_reason,
  attempts,
}: Pick<SuccessOutcome, 'finish_reason' | 'attempts'>): KoboldFinish {
  const isCut = finish_reason === 'length' || finish_reason === 'content_filter'
  return isCut || attempts.at(-1)?.raw_finish_reason === 'length' ? 'length' : 'stop'
}

/** A whole answer. */
export const textReply = (
  text: string,
  finish: KoboldFinish,
  usage: SuccessOutcome['usage'] = null,
): HttpReply => ({
  status: 200,
  headers: {},
  body: {
    results: [
      {
        text,
        tool_calls: [],
        finish_reason: finish,
        logprobs: null,
        prompt_tokens: usage?.prompt_tokens ?? 0,
        completion_tokens: usage?.completion_tokens ?? 0,
      },
    ],
  },
})

/** Failures of an event in KoboldCPP's words: a limit of the answer has another name there. */
export function failureReply(outcome: FailureOutcome, requestId: string): HttpReply {
  const failure = failureOfOutcome(outcome)
  const details = failure.details.replaceAll('`max_tokens`', '`max_length`')
  return koboldDialect.reply({ ...failure, details }, requestId)
}

const frame = (token: string, finish_reason: KoboldFinish | null): string =>
  `event: message\ndata: ${JSON.stringify({ token, finish_reason })}\n\n`

/** A stream in KoboldCPP's dialect. It has no event for a failure: the connection breaks in mid-stream. */
export class KoboldStream implements StreamDialect {
  readonly breaksOff = true
  readonly #requestId: string
  #hasText = false

  constructor(requestId: string) {
    this.#requestId = requestId
  }

  frame(event: StreamEvent): string | undefined {
    switch (event.type) {
      case 'admitted':
      case 'partial':
        return undefined
      case 'delta':
        return this.#token(event.text)
      case 'done': {
        // A backend may answer in one piece, without any delta.
        const { completion } = event.outcome
        const unsent = this.#hasText ? '' : this.#token(completion)
        return unsent + frame('', finishOf(event.outcome))
      }
      case 'error':
        return this.failureFrame({ code: event.outcome.error })
    }
  }

  /** A comment, for people: clients pass over it. */
  failureFrame({ code }: Pick<Failure, 'code'>): string {
    return `: ${code}\n\n`
  }

  refusal(outcome: FailureOutcome): HttpReply {
    return failureReply(outcome, this.#requestId)
  }

  #token(text: string): string {
    if (text === '') return ''
    this.#hasText = true
    return frame(text, null)
  }
}
