import type { EventWarning, Failure, FailureOutcome, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import type { StreamDialect } from '../answer/event-stream.ts'
import type { HttpReply } from '../http/reply.ts'
import { type CompletionContext, completionId, usageOf } from './completion-body.ts'
import { errorBody, errorReply, outcomeFailure } from './error-reply.ts'

const write = (data: object): string => `data: ${JSON.stringify(data)}\n\n`

export interface ChunksContext extends CompletionContext {
  readonly includeUsage: boolean
}

/**
 * A stream in OpenAI's dialect. The head waits for the first text, for a while, so that an error before it has its
 * status. All chunks
 * bear the name of the model that was asked for: which one answers is known only at the end. A failure is a frame with
 * `error` and no `[DONE]`, on which OpenAI's clients throw, and the reply breaks off behind it.
 */
export class CompletionChunks implements StreamDialect {
  readonly breaksOff = true
  readonly #context: ChunksContext
  #id = ''
  #isOpen = false
  #hasText = false
  #hasReasoning = false

  constructor(context: ChunksContext) {
    this.#context = context
  }

  frame(event: StreamEvent): string | undefined {
    switch (event.type) {
      case 'admitted':
        this.#id = completionId(this.#context.shape, event.id)
        return undefined
      case 'delta':
        return this.#delta(event.text, event.reasoning)
      case 'partial':
        // What is not checked yet may be taken back; in this dialect nothing can be.
        return undefined
      case 'done':
        return this.#unsent(event.outcome) + this.#end(event.outcome)
      case 'error':
        return this.failureFrame(outcomeFailure(event.outcome))
    }
  }

  failureFrame(failure: Failure): string {
    return write(errorBody(failure))
  }

  refusal(outcome: FailureOutcome): HttpReply {
    return errorReply(outcomeFailure(outcome))
  }

  #delta(text: string, reasoning: string | undefined): string {
    this.#hasText ||= text !== ''
    this.#hasReasoning ||= Boolean(reasoning)
    const choice = this.#context.shape.delta({ text, reasoning })
    return this.#opening() + (choice === undefined ? '' : this.#chunk([choice]))
  }

  #opening(): string {
    if (this.#isOpen) return ''
    this.#isOpen = true
    const { opening } = this.#context.shape
    return opening === undefined ? '' : this.#chunk([opening])
  }

  /** A backend may answer in one piece, without any delta. */
  #unsent({ completion, reasoning }: SuccessOutcome): string {
    return this.#delta(this.#hasText ? '' : completion, this.#hasReasoning ? undefined : reasoning)
  }

  #end(outcome: SuccessOutcome): string {
    const { shape, includeUsage } = this.#context
    const { warnings } = outcome
    const endings = shape.ending(outcome)
    const choices = endings.map((choice, index) =>
      this.#chunk([choice], null, index === endings.length - 1 ? warnings : undefined),
    )
    const usage = includeUsage ? usageOf(outcome.usage) : undefined
    return `${choices.join('')}${usage === undefined ? '' : this.#chunk([], usage)}data: [DONE]\n\n`
  }

  #chunk(
    choices: readonly object[],
    usage: object | null = null,
    warnings?: readonly EventWarning[],
  ): string {
    const { shape, model, created, includeUsage } = this.#context
    return write({
      id: this.#id,
      object: shape.chunkObject,
      created,
      model: model ?? 'default',
      choices,
      ...(includeUsage ? { usage } : {}),
      ...(warnings === undefined ? {} : { warnings }),
    })
  }
}
