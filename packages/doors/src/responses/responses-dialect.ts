import type { Failure, FailureOutcome, StreamEvent } from '@ai-ticket/core'
import { type HttpReply, openAiErrorReply, openAiFailure, type StreamDialect } from '@ai-ticket/http-server'
import { ResponseFrames, type StartedResponse } from './response-frames.ts'

/**
 * A stream of a response that is answered now. A failure after the head is `response.failed`, behind which the reply ends:
 * clients such as Codex ask for a whole new generation where it breaks off.
 */
export class ResponsesDialect implements StreamDialect {
  readonly breaksOff = false
  readonly #frames: ResponseFrames
  readonly #eventId: string
  #isStarted = false

  constructor(response: StartedResponse, wallTime: () => number) {
    this.#frames = new ResponseFrames(response, { wallTime })
    this.#eventId = `evt_${response.tail}`
  }

  frame(event: StreamEvent): string | undefined {
    switch (event.type) {
      case 'delta':
        return this.opening() + this.#frames.delta(event)
      case 'done':
      case 'error':
        return this.opening() + this.#frames.end(event.outcome)
      case 'admitted':
      case 'partial':
        return undefined
    }
  }

  /** Clients want `response.created` before anything else. */
  opening(): string {
    if (this.#isStarted) return ''
    this.#isStarted = true
    return this.#frames.start('in_progress')
  }

  failureFrame({ code, details }: Failure): string {
    return (
      this.opening() +
      this.#frames.end({ error: code, details, id: this.#eventId, attempts: [], duration_ms: 0 })
    )
  }

  refusal(outcome: FailureOutcome): HttpReply {
    return openAiErrorReply(openAiFailure(outcome))
  }
}
