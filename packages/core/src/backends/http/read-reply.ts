import { createParser } from 'eventsource-parser'
import { BackendError, type GenerationEvent } from '../../contract/backend.ts'
import { at, connectionError, type ErrorPlace } from './errors.ts'
import type { CallGuard, Step } from './open-call.ts'
import type { Chunk, Collector } from './read-completion.ts'

/** A reply whose body has come to its end. */
export interface WholeReply {
  readonly response: Response
  readonly text: string
}

export async function readWhole(response: Response): Promise<WholeReply> {
  return { response, text: await response.text() }
}

export function parseReply(place: ErrorPlace, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error would quote the text.
    throw new BackendError('not_json', `${at(place)} sent something that is not JSON.`)
  }
}

/** Says which kind of wrong, by what servers are known to send. */
export function wrongShape(place: ErrorPlace, reply: unknown): BackendError {
  if (reply === null) {
    return new BackendError(
      'wrong_shape',
      `${at(place)} answered null: it could not generate from this request.`,
    )
  }
  if (typeof reply === 'object' && ('error' in reply || 'detail' in reply)) {
    return new BackendError('wrong_shape', `${at(place)} reports an error with status 200.`)
  }
  return new BackendError('wrong_shape', `${at(place)} sent JSON that holds no answer.`)
}

/** Longest line, in characters, that a server may send: far above any token, far below what hurts. */
const MAX_LINE = 1024 * 1024

/** KoboldCPP 1.76 ends its streams with this and no line end, so that a parser alone would never deliver it. */
const UNFINISHED_DONE = /(?:^|\n)data: ?\[DONE\]$/

/** A line of an event stream is longer than a megabyte. */
export class EventTooLongError extends Error {
  override readonly name = 'EventTooLongError'
}

/**
 * The data of server-sent events, `[DONE]` included, however the bytes were cut into reads. Comments, event names
 * and unknown fields are passed over; what a stream leaves at its end without a blank line is delivered where it is
 * whole.
 */
export async function* readEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const events: string[] = []
  let tooLong = false
  let tail = ''
  const parser = createParser({
    maxBufferSize: MAX_LINE,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      tooLong ||= type === 'max-buffer-size-exceeded'
    },
  })
  const feed = (text: string) => {
    parser.feed(text)
    tail = (tail + text).slice(-16)
    if (UNFINISHED_DONE.test(tail)) parser.feed('\n\n')
  }
  for await (const chunk of chunks) {
    feed(decoder.decode(chunk, { stream: true }))
    yield* events.splice(0)
    if (tooLong) throw new EventTooLongError('A line of the event stream is longer than a megabyte.')
  }
  feed(`${decoder.decode()}\n\n`)
  yield* events.splice(0).filter(isWhole)
}

/** The server may have died within an event: half of one is no event. */
function isWhole(data: string): boolean {
  if (data === '[DONE]') return true
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}

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
