import type { Clock, Dispatcher, EventOptions, Failure, Logger, Outcome } from '@ai-ticket/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { callerSignal } from './caller-signal.ts'
import { replyWithEventStream } from './event-stream-reply.ts'
import { failureOfError } from './failure-of-error.ts'
import type { HttpReply } from './reply.ts'
import { sendReply } from './send-reply.ts'
import type { StreamDialect } from './stream-dialect.ts'
import { traceHeaders } from './trace-headers.ts'

/** What every route that takes events needs. */
export interface AnswerOptions {
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  /** Milliseconds between two pings of a stream. */
  readonly pingIntervalMs: number
  readonly clock: Clock
  /** Whom the waiting line treats as one caller. */
  readonly callerOf: (request: FastifyRequest) => string
}

/** One event, and the caller who waits for its answer. */
export interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly event: unknown
}

/** Answers with the whole outcome. A caller who hangs up cancels the event. */
export async function answerWhole(
  { request, reply, event }: Exchange,
  options: AnswerOptions,
  toReply: (outcome: Outcome) => HttpReply,
): Promise<FastifyReply> {
  const eventOptions = eventOptionsOf(request, reply, options)
  try {
    return sendReply(reply, toReply(await options.dispatcher.onEvent(event, eventOptions)))
  } catch (error) {
    if (!eventOptions.signal.aborted) throw error
    // Nobody is there to answer.
    return reply.hijack()
  }
}

/** Answers with the deltas as they come, in the caller's dialect. A caller who hangs up cancels the event. */
export async function answerInStream(
  { request, reply, event }: Exchange,
  options: AnswerOptions,
  dialect: StreamDialect,
): Promise<FastifyReply> {
  const { dispatcher, logger, pingIntervalMs, clock } = options
  const eventOptions = eventOptionsOf(request, reply, options)
  const explain = (error: unknown): Failure => {
    logger.error('stream failed', { request_id: request.id, error })
    return failureOfError(error)
  }
  await replyWithEventStream(reply, dispatcher.streamEvent(event, eventOptions), {
    dialect,
    clock,
    pingIntervalMs,
    signal: eventOptions.signal,
    explain,
  })
  return reply
}

function eventOptionsOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { callerOf }: AnswerOptions,
): EventOptions & { readonly signal: AbortSignal } {
  const headers = traceHeaders(request.headers)
  return {
    signal: callerSignal(reply.raw),
    caller: callerOf(request),
    logFields: { request_id: request.id },
    ...(headers && { headers }),
  }
}
