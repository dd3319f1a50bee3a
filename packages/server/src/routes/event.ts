import {
  type Clock,
  type Dispatcher,
  type Failure,
  type Logger,
  type StreamEvent,
  silentLogger,
  systemClock,
  withoutUnknownFields,
} from '@ai-ticket/core'
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { type AnswerOptions, answerInStream, answerWhole } from '../answer/answer-event.ts'
import type { StreamDialect } from '../answer/event-stream.ts'
import { acceptEvents } from '../cloudevents/accept-events.ts'
import { replyToCaller } from '../cloudevents/reply-to-caller.ts'
import { createPrioritise } from '../gate/auth.ts'
import { installErrorHandler } from '../gate/error-handler.ts'
import { HTTP_STATUS } from '../http/http-status.ts'
import { replyToOutcome } from '../http/reply.ts'
import { RequestProblem } from '../http/request-problem.ts'
import { wantsEventStream } from '../http/wants-event-stream.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route answers events: plugins find it by this, whatever its address. Default false. */
    takesEvents?: boolean
  }
}

/** For `eventRoutes`. */
export interface EventRoutesOptions {
  /** The desk behind the route. It is yours: closing the app does not close it. */
  readonly dispatcher: Dispatcher
  /** Default: silent. */
  readonly logger?: Logger
  /** Largest body in bytes. Default 16 MiB. */
  readonly bodyLimitBytes?: number
  /** Milliseconds between two pings of a stream. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Whom the waiting line treats as one caller. Default: the address. */
  readonly callerOf?: (request: FastifyRequest) => string
  /** Gives an event its priority. Default: its own, else that of the header `X-Priority`. */
  readonly prioritise?: <Given>(event: Given, request: FastifyRequest) => Given
  /** Drives the pings. Default: the system's. */
  readonly clock?: Clock
}

/**
 * `POST /event` as a Fastify plugin, for an app of your own: `app.register(eventRoutes, { dispatcher })`. It reads its
 * own bodies (JSON, or one CloudEvent) and answers its own errors; request ids, keys, time limits and draining are up to
 * the app (`createServer` has them all).
 */
export const eventRoutes: FastifyPluginCallback<EventRoutesOptions> = (instance, options, done) => {
  const { bodyLimitBytes = 16 * 1_024 * 1_024 } = options
  const answerOptions = withDefaults(options)
  acceptEvents(instance)
  installErrorHandler(instance, answerOptions.logger)
  const openapi = async () => (await import('../openapi/operations.ts')).postEvent
  instance.post(
    '/event',
    { bodyLimit: bodyLimitBytes, config: { scopes: ['events'], openapi, takesEvents: true, door: 'event' } },
    createEventHandler(answerOptions),
  )
  done()
}

const withDefaults = (options: EventRoutesOptions): AnswerOptions => ({
  dispatcher: options.dispatcher,
  logger: options.logger ?? silentLogger,
  pingIntervalMs: options.pingIntervalMs ?? 15_000,
  clock: options.clock ?? systemClock,
  callerOf: options.callerOf ?? (({ ip }) => ip),
  prioritise: options.prioritise ?? createPrioritise({}, () => undefined),
})

function createEventHandler(options: AnswerOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (request.body === undefined) throw EMPTY_BODY
    if (request.cloudEvents?.mode === 'batched') throw NO_BATCHES
    const exchange = { request, reply, event: keepKnown(request) }
    if (wantsEventStream(request.headers.accept)) return answerInStream(exchange, options, eventDialect)
    return answerWhole(exchange, options, (outcome) => replyToCaller(request, outcome, options))
  }
}

/** The event without what nobody reads; the request holds no more than that either, for as long as the event takes. */
function keepKnown(request: FastifyRequest): unknown {
  const { cloudEvents } = request
  request.body = withoutUnknownFields(request.body)
  if (cloudEvents !== undefined && cloudEvents.mode !== 'batched') {
    request.cloudEvents = { ...cloudEvents, cloudEvent: { ...cloudEvents.cloudEvent, data: undefined } }
  }
  return request.body
}

const EMPTY_BODY = new RequestProblem({
  code: 'invalid_request',
  details: 'The body is empty. Send an event as JSON.',
})

const NO_BATCHES = new RequestProblem({
  code: 'unsupported_media_type',
  details: 'The events of a batch become tickets, and this server keeps none. Send one CloudEvent at a time.',
})

const write = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** One event as the bytes of `text/event-stream`; empty for `admitted`, which is the head of the reply. */
function eventFrame(event: StreamEvent): string {
  switch (event.type) {
    case 'admitted':
      return ''
    case 'delta': {
      const { text, reasoning } = event
      return write('delta', reasoning === undefined ? { text } : { text, reasoning })
    }
    case 'partial':
      return write('partial', { data: event.data })
    case 'done':
      return write('done', event.outcome)
    case 'error': {
      const { error, details, ...rest } = event.outcome
      return write('error', { error, details, status: HTTP_STATUS[error], ...rest })
    }
  }
}

const failureFrame = ({ code, details }: Failure): string =>
  write('error', { error: code, details, status: HTTP_STATUS[code] })

/** What `POST /event` speaks: named events, the outcome as it is. */
const eventDialect: StreamDialect = {
  breaksOff: true,
  frame: eventFrame,
  failureFrame,
  refusal: replyToOutcome,
}
