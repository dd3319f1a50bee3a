import type { Logger } from '@ai-ticket/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { failureOfError } from '../http/failure-of-error.ts'
import { sendReply } from '../http/send-reply.ts'
import { failureReply } from './failure-reply.ts'

/** Answers what hooks, parsers, handlers and Fastify itself throw, in the shape that callers of the address know. */
export function installErrorHandler(instance: FastifyInstance, logger: Logger): void {
  instance.setErrorHandler((error, request, reply) => answerError({ error, request, reply, logger }))
}

export interface AnswerErrorOptions {
  readonly error: unknown
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly logger: Logger
}

export function answerError({ error, request, reply, logger }: AnswerErrorOptions): void {
  const failure = failureOfError(error)
  if (failure.code === 'internal_error') {
    logger.error('request failed', { request_id: request.id, error })
  }
  // Fastify closes the connection under a body that is too large, and a client that is still sending would see a
  // reset instead of the answer. Kept open, the rest is read and thrown away, for as long as `requestTimeoutMs` allows.
  if (failure.code === 'payload_too_large') reply.removeHeader('connection')
  sendReply(reply, failureReply(request.raw.url ?? '', failure))
}
