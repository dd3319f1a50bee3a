import type { Clock, Dispatcher, EventOptions, Failure, Logger } from '@ai-ticket/core'
import { silentLogger, systemClock } from '@ai-ticket/core'
import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { acceptOnlyJson } from '../accept-only-json.ts'
import { callerSignal } from '../caller-signal.ts'
import { replyWithEventStream } from '../event-stream-reply.ts'
import { failureOfError } from '../failure-of-error.ts'
import { installErrorHandler } from '../plugins/error-handler.ts'
import { replyToOutcome } from '../reply.ts'
import { RequestProblem } from '../request-problem.ts'
import { sendReply } from '../send-reply.ts'
import { wantsEventStream } from '../wants-event-stream.ts'

export interface EventRoutesOptions {
  readonly dispatcher: Dispatcher
  /** Default: silent. */
  readonly logger?: Logger
  /** Largest body in bytes. Default 16 MiB. */
  readonly bodyLimitBytes?: number
  /** Milliseconds between two pings of a stream. Default 15,000. */
  readonly pingIntervalMs?: number
  /** Whom the waiting line treats as one caller. Default: the address. */
  readonly callerOf?: (request: FastifyRequest) => string
  readonly clock?: Clock
}

/**
 * `POST /event` as a Fastify plugin, for an app of your own: `app.register(eventRoutes, { dispatcher })`. It reads its
 * own bodies and answers its own errors; request ids, keys, limits of time and draining are the app's
 * (`createServer` has them all).
 */
export const eventRoutes: FastifyPluginCallback<EventRoutesOptions> = (instance, options, done) => {
  const { bodyLimitBytes = 16 * 1_024 * 1_024, logger = silentLogger } = options
  acceptOnlyJson(instance)
  installErrorHandler(instance, logger)
  instance.post('/event', { bodyLimit: bodyLimitBytes }, createEventHandler(options))
  done()
}

function createEventHandler(options: EventRoutesOptions) {
  const { dispatcher, callerOf = ({ ip }: FastifyRequest) => ip } = options
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (request.body === undefined) throw EMPTY_BODY
    const eventOptions = {
      signal: callerSignal(reply.raw),
      caller: callerOf(request),
      logFields: { request_id: request.id },
    }
    if (wantsEventStream(request.headers.accept)) return stream({ request, reply, options, eventOptions })
    return answer({ request, reply, dispatcher, eventOptions })
  }
}

const EMPTY_BODY = new RequestProblem({
  code: 'invalid_request',
  details: 'The body is empty. Send an event as JSON.',
})

interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly eventOptions: EventOptions & { readonly signal: AbortSignal }
}

async function answer({ request, reply, dispatcher, eventOptions }: Exchange & { dispatcher: Dispatcher }) {
  try {
    return sendReply(reply, replyToOutcome(await dispatcher.onEvent(request.body, eventOptions)))
  } catch (error) {
    if (!eventOptions.signal.aborted) throw error
    // Nobody is there to answer.
    return reply.hijack()
  }
}

async function stream({ request, reply, options, eventOptions }: Exchange & { options: EventRoutesOptions }) {
  const { dispatcher, logger = silentLogger, pingIntervalMs = 15_000, clock = systemClock } = options
  const explain = (error: unknown): Failure => {
    logger.error('stream failed', { request_id: request.id, error })
    return failureOfError(error)
  }
  await replyWithEventStream(reply, dispatcher.streamEvent(request.body, eventOptions), {
    clock,
    pingIntervalMs,
    signal: eventOptions.signal,
    explain,
  })
  return reply
}
