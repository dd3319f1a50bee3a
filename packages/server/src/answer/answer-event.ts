import type { ServerResponse } from 'node:http'
import type { Clock, Dispatcher, EventOptions, Failure, Logger, Outcome } from '@ai-ticket/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceHeadersOf } from '../cloudevents/trace-headers.ts'
import { type HttpReply, isOver, markTold, sendReply } from '../http/reply.ts'
import { failureOfError } from '../http/request-problem.ts'
import { replyWithEventStream, type StreamDialect } from './event-stream.ts'

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
interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly event: unknown
  /** What the format of the caller takes for granted. */
  readonly options?: EventOptions
}

/** Answers with the whole outcome. A caller who hangs up cancels the event. */
export async function answerWhole(
  exchange: Exchange,
  options: AnswerOptions,
  toReply: (outcome: Outcome) => HttpReply,
): Promise<FastifyReply> {
  const { reply, event } = exchange
  const eventOptions = eventOptionsOf(exchange, options)
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
  exchange: Exchange,
  options: AnswerOptions,
  dialect: StreamDialect,
): Promise<FastifyReply> {
  const { request, reply, event } = exchange
  const { dispatcher, logger, pingIntervalMs, clock } = options
  const eventOptions = eventOptionsOf(exchange, options)
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
  { request, reply, options }: Exchange,
  { callerOf }: AnswerOptions,
): EventOptions & { readonly signal: AbortSignal } {
  markTold(reply.raw)
  const headers = traceHeadersOf(request)
  return {
    signal: callerSignal(reply.raw),
    caller: callerOf(request),
    logFields: { request_id: request.id },
    ...(headers && { headers }),
    ...options,
  }
}

/** Why an event was cancelled when its caller went away. */
export class CallerGone extends Error {
  override readonly name = 'CallerGone'

  constructor() {
    super('The caller closed the connection before the answer was sent.')
  }
}

/**
 * A signal that aborts when the response closes before it ended: the caller hung up. Fastify's `request.signal` will
 * not do, it follows the request, which closes as soon as its body is read (fastify pull request 6725).
 */
function callerSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  const onClose = () => {
    if (!isOver(response)) controller.abort(new CallerGone())
  }
  if (response.destroyed) onClose()
  else response.once('close', onClose)
  return controller.signal
}
