import { BackendError, type GenerationEnd, type GenerationEvent } from '../../contract/backend.ts'
import { at, connectionError, type ErrorPlace } from './errors.ts'
import type { CallGuard, Step } from './open-call.ts'
import type { Chunk, Collector } from './read-completion.ts'
import {
  BODY,
  EventTooLongError,
  isErrorFrame,
  notAnAnswer,
  notJson,
  parseLoosely,
  reportedError,
  type ServerEvent,
  unpacked,
} from './read-reply.ts'

/** After the finish reason, usage and `[DONE]` follow at once or not at all. */
const END_MARK_MS = 1000

export interface PartsOptions {
  readonly events: AsyncGenerator<ServerEvent>
  readonly guard: CallGuard
  readonly collected: Collector
  /** Its streams end at `[DONE]`; others end at their finish reason. */
  readonly endMark: boolean
  /** How long a finish reason beside the first text is doubted; absent: to the end of the stream. */
  readonly doubtMs?: number
  /** Throws a `BackendError` for an error that the server reports. */
  read(event: ServerEvent): Chunk | Unread
}

/** An event that is no part of an answer. `error`: what to say of it; none where gateways keep a connection awake. */
export class Unread {
  readonly error: BackendError | undefined
  /** Text may be lost with it. False: it is of another kind, and passed over. */
  readonly spoils: boolean

  constructor(error?: BackendError, spoils = false) {
    this.error = error
    this.spoils = spoils
  }
}

/**
 * How a stream came to its end. `cut`: without a finish reason, and `error` says what came instead of an answer.
 * `body`: it was no stream.
 */
export type PartsEnd =
  | { readonly as: 'whole' }
  | { readonly as: 'body'; readonly text: string }
  | { readonly as: 'cut'; readonly error: BackendError | undefined }
  | (Exclude<Step<unknown>, { as: 'value' }> & { readonly next: Promise<IteratorResult<ServerEvent>> })

/** Hands on the text of a stream as it comes; what it means that it ended, and how to stop it, is the caller's. */
export async function* readParts(options: PartsOptions): AsyncGenerator<GenerationEvent, PartsEnd> {
  const { events, guard, collected, endMark, doubtMs, read } = options
  let finish = NOT_FINISHED
  let strange: BackendError | undefined
  let hasBegun = false
  let choice: number | undefined
  for (;;) {
    const next = events.next()
    const step = await guard.wait(next)
    if (step.as !== 'value') {
      if (isOver(step, finish)) break
      return { ...step, next }
    }
    if (step.value.done) {
      if (finish.reason !== 'none') break
      return { as: 'cut', error: hasBegun ? undefined : strange }
    }
    const event = step.value.value
    if (event.event === BODY) return { as: 'body', text: event.data }
    if (isEndMark(event)) break
    const chunk = read(event)
    if (chunk instanceof Unread) {
      if (chunk.spoils && chunk.error && finish.reason !== 'believed') throw chunk.error
      strange ??= chunk.error
      continue
    }
    guard.touch()
    hasBegun = true
    choice ??= chunk.choice
    // Of several answers the one that comes first is ours, to its end; nobody asked for another.
    if (chunk.choice !== undefined && chunk.choice !== choice) continue
    finish = judgeFinish(finish, chunk)
    const { text, reasoning } = collected.add(chunk)
    if (text || reasoning) {
      guard.limitPauses()
      guard.pause()
      yield { type: 'delta', text, ...(reasoning && { reasoning }) }
      guard.touch()
    }
    if (finish.reason === 'none') continue
    if (!endMark) break
    if (finish.reason === 'believed') guard.finishWithin(END_MARK_MS)
    else {
      guard.limitPauses()
      if (finish.reason === 'refuted') guard.goOn()
      else if (doubtMs !== undefined) guard.finishWithin(doubtMs)
    }
  }
  const { text, reasoning } = collected.rest()
  if (text || reasoning) yield { type: 'delta', text, ...(reasoning && { reasoning }) }
  return { as: 'whole' }
}

/**
 * Whether the answer is at its end. `believed`: nothing but the end mark can follow. `doubted`: it stood beside the
 * first text, as in streams of servers that write a reason beside every text, or came after such a one. `refuted`: text
 * came after it.
 */
interface Finish {
  readonly reason: 'none' | 'believed' | 'doubted' | 'refuted'
  /** What has come so far: thoughts alone, or text or a call of a tool. */
  readonly came: 'nothing' | 'thoughts' | 'text'
}

const NOT_FINISHED: Finish = { reason: 'none', came: 'nothing' }

/** What one more event says of the end. Pure. */
function judgeFinish(before: Finish, { text, reasoning, toolCalls, rawFinishReason }: Chunk): Finish {
  const isText = text !== '' || Boolean(toolCalls?.length)
  const isContent = isText || Boolean(reasoning)
  if (before.reason !== 'none') {
    if (isContent) return { reason: 'refuted', came: 'text' }
    // It stands alone this time.
    return before.reason === 'refuted' && rawFinishReason !== null ? { ...before, reason: 'doubted' } : before
  }
  const came = isText ? 'text' : reasoning && before.came === 'nothing' ? 'thoughts' : before.came
  if (rawFinishReason === null) return came === before.came ? before : { reason: 'none', came }
  const isFirst = before.came === 'nothing' || (isText && before.came === 'thoughts')
  return { reason: isFirst ? 'doubted' : 'believed', came }
}

/** Whether a stream that was not read to its end holds a whole answer all the same. */
function isOver(step: Exclude<Step<unknown>, { as: 'value' }>, { reason }: Finish): boolean {
  if (step.as === 'error') return reason === 'believed'
  if (step.interrupt === 'finished') return true
  // Nothing more came for longer than a token may take: the reason was right.
  return reason === 'doubted' && step.interrupt === 'stalled'
}

/** `[DONE]`, however it is written, or an event that is named so. */
function isEndMark({ event, data }: ServerEvent): boolean {
  if (data.length > 100 || data.startsWith('{"ch')) return false
  return (
    END_MARK.test(data) ||
    (typeof event === 'string' && END_NAME.test(event) && !/"(?:choices|token)"/.test(data))
  )
}

const END_MARK = /^\s*"?(?:\[DONE\]|DONE\s*$)/i
const END_NAME = /^(?:done|end|complete|completed|finish|finished)$/i

/** Names of events that end a generation without an answer. */
const FAILURE_NAME = /(?:error|exception|fail(?:ed|ure)?|abort(?:ed)?|cancel(?:l?ed)?)$/

/** What gateways write instead of an event, so that nobody takes a long silence for an end. */
const KEEP_ALIVE = /^\W*(?:ping|pong|keep[-_ ]?alive|heartbeat|processing)\W*$/i
const PASSED = new Unread()

/** One event of a stream, read by the endpoint. Throws the error that it reports. */
export function readPart(
  place: ErrorPlace,
  { event, data }: ServerEvent,
  read: (data: unknown) => Chunk | undefined,
): Chunk | Unread {
  const name = typeof event === 'string' ? event.toLowerCase() : 'message'
  if (FAILURE_NAME.test(name)) throw reportedError(place, parseError(data))
  if (data.trim() === '') return PASSED
  let value: unknown
  try {
    value = unpacked(parseLoosely(data))
  } catch {
    return name !== 'message' || KEEP_ALIVE.test(data) ? PASSED : new Unread(notJson(place, data), true)
  }
  if (isErrorFrame(value, name !== 'message')) throw reportedError(place, value)
  const chunk = read(value)
  if (chunk && (chunk.usage || holdsAnswer(value))) return chunk
  if (name !== 'message' || isNotice(value)) return PASSED
  // null is a generation that failed; any other value without an answer is an event of another kind.
  return new Unread(notAnAnswer(place, value), value === null || holdsAnswer(value))
}

/** Other lines may have followed an error that was written without a blank line behind it. */
function parseError(data: string): unknown {
  for (const text of [data, data.slice(0, data.indexOf('\n') + 1)]) {
    try {
      return JSON.parse(text)
    } catch {
      // Then it is a text.
    }
  }
  return data
}

const holdsAnswer = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('choices' in value || 'token' in value)

/** `{"type":"ping"}` and the like. */
const isNotice = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !holdsAnswer(value) && 'type' in value

/** The end of a stream whose deltas nobody wants. */
export async function endIn(events: AsyncIterable<GenerationEvent>): Promise<GenerationEnd> {
  let end: GenerationEnd | undefined
  for await (const event of events) if (event.type === 'end') end = event
  if (!end) throw new Error('A stream of an answer ends with its end, or throws.')
  return end
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
