import type { Failure, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import type { StreamDialect } from '../answer/event-stream.ts'
import { type CompletionContext, completionId, usageOf } from './completion-body.ts'
import { errorBody, errorReply, outcomeFailure } from './error-reply.ts'

const write = (data: object): string => `data: ${JSON.stringify(data)}\n\n`

export interface ChunksContext extends CompletionContext {
  readonly includeUsage: boolean
}

/**
 * A stream in OpenAI's dialect. The head waits for the first text, so that an error before it has its status. All chunks
 * bear the name of the model that was asked for: which one answers is known only at the end. A failure is a frame with
 * `error` and no `[DONE]`, on which OpenAI's clients throw.
 */
export function completionChunks({ shape, model, created, includeUsage }: ChunksContext): StreamDialect {
  let id = ''
  let isOpen = false
  const sent = { text: false, reasoning: false }

  const chunk = (choices: readonly object[], usage: object | null = null) =>
    write({
      id,
      object: shape.chunkObject,
      created,
      model: model ?? 'default',
      choices,
      ...(includeUsage ? { usage } : {}),
    })

  const open = () => {
    if (isOpen) return ''
    isOpen = true
    return shape.opening === undefined ? '' : chunk([shape.opening])
  }

  const delta = (text: string, reasoning: string | undefined) => {
    sent.text ||= text !== ''
    sent.reasoning ||= Boolean(reasoning)
    const choice = shape.delta({ text, reasoning })
    return open() + (choice === undefined ? '' : chunk([choice]))
  }

  /** A backend may answer in one piece, without any delta. */
  const unsent = ({ completion, reasoning }: SuccessOutcome) =>
    delta(sent.text ? '' : completion, sent.reasoning ? undefined : reasoning)

  const end = (outcome: SuccessOutcome) => {
    const usage = includeUsage ? usageOf(outcome.usage) : undefined
    const choices = shape.ending(outcome).map((choice) => chunk([choice]))
    return `${choices.join('')}${usage === undefined ? '' : chunk([], usage)}data: [DONE]\n\n`
  }

  const failureFrame = (failure: Failure) => write(errorBody(failure))

  return {
    frame(event: StreamEvent) {
      switch (event.type) {
        case 'admitted':
          id = completionId(shape, event.id)
          return undefined
        case 'delta':
          return delta(event.text, event.reasoning)
        case 'partial':
          // What is not checked yet may be taken back; in this dialect nothing can be.
          return undefined
        case 'done':
          return unsent(event.outcome) + end(event.outcome)
        case 'error':
          return failureFrame(outcomeFailure(event.outcome))
      }
    },
    failureFrame,
    refusal: (outcome) => errorReply(outcomeFailure(outcome)),
  }
}
