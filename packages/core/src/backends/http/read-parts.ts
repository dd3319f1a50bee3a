import { BackendError, type GenerationEvent } from '../../contract/backend.ts'
import type { Chunk } from './answer.ts'
import type { Collector } from './collect-answer.ts'
import { at, connectionError, type ErrorPlace } from './errors.ts'
import { EventTooLongError } from './event-stream.ts'
import type { CallGuard, Step } from './guard-call.ts'
import { parseReply, wrongShape } from './read-reply.ts'

/** After the finish reason, usage and `[DONE]` follow at once or not at all. */
const END_MARK_MS = 1000

export interface PartsOptions {
  readonly events: AsyncGenerator<string>
  readonly guard: CallGuard
  readonly collected: Collector
  /** Its streams end at `[DONE]`; others end at their finish reason. */
  readonly endMark: boolean
  /** Throws a `BackendError` for what is no part of an answer. */
  read(data: string): Chunk
}

/** How a stream came to its end. `cut`: without a finish reason. */
export type PartsEnd =
  | { readonly as: 'whole' }
  | { readonly as: 'cut' }
  | (Exclude<Step<unknown>, { as: 'value' }> & { readonly next: Promise<IteratorResult<string>> })

/** Hands on the text of a stream as it comes; what it means that it ended, and how to stop it, is the caller's. */
export async function* readParts(options: PartsOptions): AsyncGenerator<GenerationEvent, PartsEnd> {
  const { events, guard, collected, endMark, read } = options
  for (;;) {
    const next = events.next()
    const step = await guard.wait(next)
    const whole = collected.finished()
    if (step.as !== 'value') {
      return whole && (step.as === 'error' || step.interrupt === 'finished')
        ? { as: 'whole' }
        : { ...step, next }
    }
    if (step.value.done) return { as: whole ? 'whole' : 'cut' }
    guard.touch()
    if (step.value.value === '[DONE]') return { as: 'whole' }
    const chunk = read(step.value.value)
    collected.add(chunk)
    if (chunk.text || chunk.reasoning) {
      guard.limitPauses()
      guard.pause()
      yield { type: 'delta', text: chunk.text, ...(chunk.reasoning && { reasoning: chunk.reasoning }) }
      guard.touch()
    }
    if (chunk.rawFinishReason === null) continue
    if (!endMark) return { as: 'whole' }
    guard.finishWithin(END_MARK_MS)
  }
}

/** One event of a stream, read by the endpoint. */
export function readPart(place: ErrorPlace, data: string, read: (data: unknown) => Chunk | undefined): Chunk {
  const value = parseReply(place, data)
  const chunk = read(value)
  if (!chunk) throw wrongShape(place, value)
  return chunk
}

/** The error of a stream that ended without a finish reason. */
export const cutError = (place: ErrorPlace): BackendError =>
  new BackendError('interrupted', `${at(place)} ended its stream before the answer was whole.`)

/** The error of a stream that failed while it was read. */
export function streamError(place: ErrorPlace, error: unknown, sent: boolean): BackendError {
  if (error instanceof EventTooLongError) {
    return new BackendError('wrong_shape', `${at(place)} sent a line longer than a megabyte.`)
  }
  const found = connectionError(place, error, sent)
  if (found.kind !== 'disconnected') return connectionError(place, error, true)
  const message = `${at(place)} broke its stream off before the answer was whole.`
  return new BackendError('interrupted', message, { cause: found.cause })
}
