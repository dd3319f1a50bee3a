import type { SuccessOutcome } from '@ai-ticket/core'
import type { CompletionShape } from './completion-shape.ts'
import { usageOf } from './usage.ts'

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
  const usage = usageOf(outcome.usage)
  return {
    id: completionId(shape, outcome.id),
    object: shape.object,
    created,
    model: outcome.model ?? model ?? 'default',
    choices: [shape.choice(outcome)],
    ...(usage === undefined ? {} : { usage }),
  }
}
