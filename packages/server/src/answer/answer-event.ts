import type { ServerResponse } from 'node:http'
import type { Clock, Dispatcher, EventOptions, Failure, Logger, Outcome, StreamEvent } from '@ai-ticket/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { traceHeadersOf } from '../cloudevents/trace-headers.ts'
import { type HttpReply, isOver, markTold, sendReply } from '../http/reply.ts'
import { failureOfError, RequestProblem } from '../http/request-problem.ts'
import { replyWithEventStream, type StreamDialect } from './event-stream.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The desk behind the server and how it answers. For plugins that take events: `answerWhole(exchange, server.desk, …)`. */
    desk: AnswerOptions
  }
  interface FastifyRequest {
    /**
     * Set by a plugin before the route runs: aborting it cancels the event of this request, as hanging up does. Its
     * caller, who is still there, is told the `RequestProblem` that is the reason of the signal.
     */
    cancelSignal: AbortSignal | undefined
  }
}

/** What every route that takes events needs. */
export interface AnswerOptions {
  /** The desk behind the routes. */
  readonly dispatcher: Dispatcher
  /** Hears of streams that break. */
  readonly logger: Logger
  /** Milliseconds between two pings of a stream. */
  readonly pingIntervalMs: number
  /** Drives the pings. */
  readonly clock: Clock
  /** Whom the waiting line treats as one caller. */
  readonly callerOf: (request: FastifyRequest) => string
  /**
   * The event with the priority that its request, key and door give it. Throws a `RequestProblem` for a header `X-Priority`
   * that is none. Events that come in here have it; whoever hands one on in another way asks for it first.
   */
  readonly prioritise: <Given>(event: Given, request: FastifyRequest) => Given
}

/** One event, and the caller who waits for its answer. */
export interface Exchange {
  /** Whose headers and key go along with the event. */
  readonly request: FastifyRequest
  /** If its connection closes before it is sent, the event is cancelled. */
  readonly reply: FastifyReply
  /** As `Dispatcher.onEvent` takes it. */
  readonly event: unknown
  /** What the format of the caller takes for granted. */
  readonly options?: EventOptions
}

/** What `streamEvent` of a dispatcher does; a door may put its own in between. */
export type StreamOfEvent = (event: unknown, options: EventOptions) => AsyncIterable<StreamEvent>

/** Answers with the whole outcome. A caller who hangs up cancels the event. */
export async function answerWhole(
  exchange: Exchange,
  options: AnswerOptions,
  toReply: (outcome: Outcome) => HttpReply,
): Promise<FastifyReply> {
  const { request, reply } = exchange
  const event = options.prioritise(exchange.event, request)
  const eventOptions = eventOptionsOf(exchange, options)
  try {
    return sendReply(reply, toReply(await options.dispatcher.onEvent(event, eventOptions)))
  } catch (error) {
    if (!isGone(eventOptions.signal)) throw error
    // Nobody is there to answer.
    return reply.hijack()
  }
}

/**
 * Answers with the deltas as they come, in the caller's dialect. A caller who hangs up cancels the event.
 * `streamEvent`: where the deltas come from; default the dispatcher's.
 */
export async function answerInStream(
  exchange: Exchange,
  options: AnswerOptions,
  dialect: StreamDialect,
  streamEvent: StreamOfEvent = (event, more) => options.dispatcher.streamEvent(event, more),
): Promise<FastifyReply> {
  const { request, reply } = exchange
  const { logger, pingIntervalMs, clock } = options
  const event = options.prioritise(exchange.event, request)
  const eventOptions = eventOptionsOf(exchange, options)
  const explain = (error: unknown): Failure => {
    if (!(error instanceof RequestProblem)) logger.error('stream failed', { request_id: request.id, error })
    return failureOfError(error)
  }
  await replyWithEventStream(reply, streamEvent(event, eventOptions), {
    dialect,
    clock,
    pingIntervalMs,
    isGone: () => isGone(eventOptions.signal),
    explain,
  })
  return reply
}

/** What the desk gets beside an event: who asks, by which door, and a signal that aborts when the caller hangs up. */
export function eventOptionsOf(
  { request, reply, options }: Exchange,
  { callerOf }: AnswerOptions,
): EventOptions & { readonly signal: AbortSignal } {
  markTold(reply.raw)
  const headers = traceHeadersOf(request)
  const { door } = request.routeOptions.config
  return {
    signal: signalOf(request, reply.raw),
    caller: callerOf(request),
    logFields: { request_id: request.id },
    ...(door && { door }),
    ...(headers && { headers }),
    ...options,
  }
}

function signalOf({ cancelSignal }: FastifyRequest, response: ServerResponse): AbortSignal {
  const signal = callerSignal(response)
  return cancelSignal === undefined ? signal : AbortSignal.any([signal, cancelSignal])
}

/** Why an event was cancelled when its caller went away. */
export class CallerGone extends Error {
  /** Tells it from other errors, also those of another copy of this package. */
  override readonly name = 'CallerGone'

  constructor() {
    super('The caller closed the connection before the answer was sent.')
  }
}

/** Whether an event was cancelled because its caller went away, so that nobody is left to answer. */
export const isGone = ({ reason }: AbortSignal): boolean => reason instanceof CallerGone

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
