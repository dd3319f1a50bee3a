import type { Clock, Failure, StreamEvent } from '@ai-ticket/core'
import type { FastifyReply } from 'fastify'
import { sendReply } from '../http/send-reply.ts'
import { type OpenStream, openEventStream } from './event-stream.ts'
import type { StreamDialect } from './stream-dialect.ts'

export interface EventStreamReplyOptions {
  readonly dialect: StreamDialect
  readonly clock: Clock
  readonly pingIntervalMs: number
  /** Aborted when the caller hung up. */
  readonly signal: AbortSignal
  /** What to tell the caller, who is still there, when the events break off without `done` or `error`. */
  readonly explain: (error: unknown) => Failure
}

/**
 * Sends events as `text/event-stream`. What fails before the first frame is plain JSON with its status; from then on the
 * head is out, a comment keeps proxies awake, and the last frame is that of `done` or `error`. The next event is asked
 * for only when the reader has taken the one before, and a reader who hangs up ends the loop, which cancels the event.
 */
export async function replyWithEventStream(
  reply: FastifyReply,
  events: AsyncIterable<StreamEvent>,
  options: EventStreamReplyOptions,
): Promise<void> {
  const { dialect } = options
  let stream: OpenStream | undefined
  try {
    for await (const event of events) {
      if (stream === undefined && event.type === 'error')
        return void sendReply(reply, dialect.refusal(event.outcome))
      const frame = dialect.frame(event)
      if (frame === undefined) continue
      stream ??= openEventStream(reply, options)
      if (event.type === 'done' || event.type === 'error') return stream.end(frame)
      if (!(await stream.write(frame))) return
    }
    throw new Error('The events ended without `done` or `error`.')
  } catch (error) {
    if (options.signal.aborted) return
    if (stream === undefined) throw error
    stream.end(dialect.failureFrame(options.explain(error)))
  } finally {
    stream?.release()
    if (options.signal.aborted) reply.hijack()
  }
}
