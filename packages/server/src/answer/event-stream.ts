import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Clock, Failure, FailureOutcome, StreamEvent } from '@ai-ticket/core'
import type { FastifyReply } from 'fastify'
import { breakReply, type HttpReply, sendReply, startBreak } from '../http/reply.ts'

/** A reply as server-sent events, its head out and awake. */
export interface OpenStream {
  /** Resolves when the reader can take more; false when it has gone. */
  write(frame: string): boolean | Promise<boolean>
  /** Ends the reply, with a last frame where there is one. Bytes are shared by many readers without a copy. */
  end(frame?: string | Uint8Array): void
  /** Sends a last frame, and closes the connection in the middle of the reply: it must not pass for a whole one. */
  breakOff(frame: string): void
  /** Stops the pings. */
  release(): void
}

interface OpenStreamOptions {
  readonly clock: Clock
  readonly pingIntervalMs: number
  /** What is written to keep the connection awake. Default: a comment. */
  readonly keepAlive?: () => string
}

/** Sends the head of an event stream. From then on a comment keeps proxies awake until `release`. */
export function openEventStream(
  reply: FastifyReply,
  { clock, pingIntervalMs, keepAlive = () => ': ping\n\n' }: OpenStreamOptions,
): OpenStream {
  reply.hijack()
  const response = reply.raw
  response.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    // nginx would hold the stream back until its buffer is full.
    'x-accel-buffering': 'no',
  })
  response.flushHeaders()

  const ping = () => {
    // A reader that takes nothing needs no ping, and pings must not fill our memory.
    if (!response.writableNeedDrain) response.write(keepAlive())
    timer = clock.setTimer(ping, pingIntervalMs)
  }
  let timer = clock.setTimer(ping, pingIntervalMs)

  return {
    write: (frame) => frame === '' || (!response.destroyed && (response.write(frame) || drained(response))),
    end: (frame = '') => void response.end(frame),
    breakOff(frame) {
      startBreak(response)
      // A client that learns of both at once throws the frame away, and with it the reason.
      response.write(frame, () => {
        const grace = setTimeout(breakReply, BREAK_GRACE_MS, response)
        response.once('close', () => clearTimeout(grace))
      })
    },
    release: () => timer.cancel(),
  }
}

/** A head goes out after so long, whatever the pings: proxies often wait 60 s for it. */
const HEAD_AFTER_MS = 15_000

/** So long a reader has to take in why its reply is about to break off, in milliseconds. */
const BREAK_GRACE_MS = 250

/** Waits for the reader; false when it hung up instead. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve(!response.destroyed)
    }
    response.once('drain', settle).once('close', settle)
  })
}

interface EventStreamReplyOptions {
  readonly dialect: StreamDialect
  readonly clock: Clock
  readonly pingIntervalMs: number
  /** Whether the caller hung up. */
  readonly isGone: () => boolean
  /** What to tell the caller, who is still there, when the events break off without `done` or `error`. */
  readonly explain: (error: unknown) => Failure
}

/**
 * Sends events as `text/event-stream`. What fails before the head is plain JSON with its status. The head goes out with
 * the first frame, or after as long as there is between two pings, 15 s at most: clients give up where nothing comes
 * (Node's `fetch` after 300 s). From then on a comment, or what the dialect has instead, keeps proxies awake, and the last frame is that of `done` or `error`. The next
 * event is asked for only when the reader has taken the one before, and a reader who hangs up ends the loop, which
 * cancels the event.
 */
export async function replyWithEventStream(
  reply: FastifyReply,
  events: AsyncIterable<StreamEvent>,
  options: EventStreamReplyOptions,
): Promise<void> {
  const { dialect, clock, isGone } = options
  let stream: OpenStream | undefined
  const open = () => {
    patience.cancel()
    stream ??= openEventStream(reply, {
      ...options,
      ...(dialect.keepAlive && { keepAlive: () => dialect.keepAlive?.() ?? '' }),
    })
    return stream
  }
  const patience = clock.setTimer(
    () => {
      if (!isGone()) void open().write(dialect.opening?.() ?? '')
    },
    Math.min(options.pingIntervalMs, HEAD_AFTER_MS),
  )
  const fail = (frame: string) => (dialect.breaksOff ? open().breakOff(frame) : open().end(frame))
  try {
    for await (const event of events) {
      if (event.type === 'error') {
        if (stream === undefined) return void sendReply(reply, dialect.refusal(event.outcome))
        const frame = dialect.frame(event)
        return fail(frame ?? '')
      }
      const frame = dialect.frame(event)
      if (frame === undefined) continue
      if (event.type === 'done') return open().end(frame)
      if (!(await open().write(frame))) return
    }
    throw new Error('The events ended without `done` or `error`.')
  } catch (error) {
    if (isGone()) return
    if (stream === undefined) throw error
    fail(dialect.failureFrame(options.explain(error)))
  } finally {
    patience.cancel()
    stream?.release()
    if (isGone()) reply.hijack()
  }
}

/** How one kind of caller reads a stream. Each stream has its own, so it may remember what it has sent. */
export interface StreamDialect {
  /** The bytes of an event. Undefined: nothing yet, not even the head. Empty: no more than the head. */
  frame(event: StreamEvent): string | undefined
  /** A failure breaks the reply off behind its frame: these clients take every clean end for a whole answer. */
  readonly breaksOff: boolean
  /** What keeps a silent connection awake, whole frames. Default: a comment, which every reader of events passes over. */
  keepAlive?(): string
  /** What follows the head where it goes out before there is any frame. Default: nothing. */
  opening?(): string
  /** The last frame of a stream that nobody else ended. */
  failureFrame(failure: Failure): string
  /** The whole reply where an event ends in failure before the head was sent. */
  refusal(outcome: FailureOutcome): HttpReply
}
