import type { Failure, Logger } from '@ai-ticket/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type FailureDialect, type HttpReply, replyToFailure, sendReply } from '../http/reply.ts'
import { failureOfError, RequestProblem } from '../http/request-problem.ts'
import { OPENAI_DIALECT } from '../openai/error-reply.ts'
import { isOpenAiPath, pathOf } from './request-url.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** How failures are told at which addresses, the first that covers one. Elsewhere they are `{ error, details }`. */
    dialects: readonly FailureDialect[]
    /**
     * From now on failures at the addresses of this dialect are told in its words, also those of hooks and parsers and of
     * addresses without a route. It goes before those that are there. For plugins.
     */
    addDialect(dialect: FailureDialect): void
  }
}

/** To be called before there are hooks that refuse. */
export function installDialects(server: FastifyInstance): void {
  const dialects = [OPENAI_DIALECT]
  server.decorate('dialects', dialects)
  server.decorate('addDialect', (dialect: FailureDialect) => void dialects.unshift(dialect))
}

/** Answers what hooks, parsers, handlers and Fastify itself throw, in the shape that callers of the address know. */
export function installErrorHandler(instance: FastifyInstance, logger: Logger): void {
  instance.setErrorHandler((error, request, reply) => answerError({ error, request, reply, logger }))
}

interface AnswerErrorOptions {
  readonly error: unknown
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly logger: Logger
}

export function answerError({ error, request, reply, logger }: AnswerErrorOptions): void {
  const failure = withLimit(failureOfError(error), error, request)
  if (failure.code === 'internal_error') {
    logger.error('request failed', { request_id: request.id, error })
  }
  // Fastify closes the connection under a body that is too large, and a client that is still sending would see a
  // reset instead of the answer. Kept open, the rest is read and thrown away, for as long as `requestTimeoutMs` allows.
  if (failure.code === 'payload_too_large') reply.removeHeader('connection')
  sendReply(reply, failureReply(request, failure))
}

/** Fastify's own refusal does not say how much a body may be. */
function withLimit(failure: Failure, error: unknown, { routeOptions }: FastifyRequest): Failure {
  const isFastifys = failure.code === 'payload_too_large' && !(error instanceof RequestProblem)
  if (!isFastifys || routeOptions.bodyLimit === undefined) return failure
  const limit = routeOptions.bodyLimit.toLocaleString('en-US')
  return {
    ...failure,
    details: `The body is larger than ${limit} bytes, which is the limit here. Send less.`,
  }
}

/**
 * An unknown address is `not_found`; one that takes other methods is `method_not_allowed` with `Allow`. Both are answered
 * before the body is read: the address is wrong, whatever the body holds.
 */
export function installNotFound(server: FastifyInstance): void {
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const path = pathOf(request.raw.url ?? '')
    const methods = methodsOf(server, path)
    // Its own method among them: the route itself found nothing. At `/` there may be a page for browsers, but whoever
    // sends something there looks for another address, and hears which.
    const allowed = path === '/' || methods.includes(request.method) ? [] : methods
    if (allowed.length > 0) reply.header('allow', allowed.join(', '))
    return sendReply(
      reply,
      failureReply(request, allowed.length > 0 ? wrongMethod(allowed) : nothingAt(path)),
    )
  }
  server.setNotFoundHandler(answer)
  server.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answer(request, reply)
    else done()
  })
}

/** What there is instead: a client that is under `/v1` already has to hear more than that name. */
function nothingAt(path: string): Failure {
  const [, hint = isOpenAiPath(path) ? UNDER_V1 : ELSEWHERE] =
    HINTS.find(([address]) => path === address || path.startsWith(`${address}/`)) ?? []
  return { code: 'not_found', details: `There is nothing at this address. ${hint}` }
}

const ELSEWHERE = 'Events go to POST /event, OpenAI clients to /v1.'
const UNDER_V1 = 'Under /v1 there are POST /v1/chat/completions, POST /v1/completions and GET /v1/models.'
const BASE_URL = 'The base URL of a client ends in /v1, once: http://host:5000/v1.'

/** Addresses that clients ask for by themselves, and what their users can change. */
const HINTS: readonly (readonly [address: string, hint: string])[] = [
  [
    '/v1/responses',
    'The Responses API is not served: switch the client to chat completions (AI SDK: `openai.chat(model)`; Agents SDK: ' +
      '`setOpenAIAPI(\'chat_completions\')`; n8n: turn off "Use Responses API"), which are at POST /v1/chat/completions.',
  ],
  [
    '/v1/embeddings',
    'Embeddings are not served: give the client another address for them, and keep this one for POST ' +
      '/v1/chat/completions.',
  ],
  ['/v1/v1', BASE_URL],
  ['/chat/completions', BASE_URL],
  ['/completions', BASE_URL],
  ['/models', BASE_URL],
]

const wrongMethod = (allowed: readonly string[]) =>
  ({ code: 'method_not_allowed', details: `This address takes ${allowed.join(', ')}.` }) as const

/** A route for whatever address, as `@fastify/cors` has for OPTIONS, does not make each of them one. */
function methodsOf(server: FastifyInstance, url: string): string[] {
  return server.supportedMethods.filter((method) => {
    const route = server.findRoute({ method, url })
    return route !== null && route.params['*'] !== url
  })
}

/** What fails at the edge, in the words of the address. */
export function failureReply({ server, raw, id }: Asked, failure: Failure): HttpReply {
  // An app of somebody else's, which has no more than a plugin of ours, has no dialects.
  const dialects = server.hasDecorator('dialects') ? server.dialects : [OPENAI_DIALECT]
  const path = pathOf(raw.url ?? '')
  const dialect = dialects.find((one) => one.covers(path))
  return dialect === undefined ? replyToFailure(failure) : dialect.reply(failure, id)
}

type Asked = Pick<FastifyRequest, 'id'> & {
  readonly raw: Pick<FastifyRequest['raw'], 'url'>
  readonly server: Pick<FastifyInstance, 'hasDecorator' | 'dialects'>
}
