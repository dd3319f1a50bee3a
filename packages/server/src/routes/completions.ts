import type { LogFields, Outcome } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { type AnswerOptions, answerInStream, answerWhole } from '../answer/answer-event.ts'
import { type HttpReply, sendReply } from '../http/reply.ts'
import { type CompletionShape, chatShape, completionBody, textShape } from '../openai/completion-body.ts'
import { CompletionChunks } from '../openai/completion-chunks.ts'
import { errorReply, outcomeFailure } from '../openai/error-reply.ts'
import { CHAT_OPTIONS, type FormatOptions, TEXT_OPTIONS } from '../openai/read-openai-request.ts'
import { type ReadCompletion, readChatRequest, readTextRequest } from '../openai/read-request.ts'
import type { DescribeOperation } from '../openapi/operation.ts'

/**
 * `POST /v1/chat/completions`, as OpenAI's clients know it, and `POST /v1/completions`, its older form: a text to go on
 * with, where a backend has an endpoint for that.
 */
export function addCompletionsRoutes(server: FastifyInstance, options: AnswerOptions): void {
  const described = () => import('../openapi/completion-operations.ts')
  let isTold = false
  const tellOfLogprobs: CompletionRoute['tellOfLogprobs'] = (fields) => {
    if (!isTold) options.logger.warn(NO_LOGPROBS, fields)
    isTold = true
  }
  const chat = {
    path: '/v1/chat/completions',
    read: readChatRequest,
    shape: chatShape,
    options: CHAT_OPTIONS,
  }
  const text = { path: '/v1/completions', read: readTextRequest, shape: textShape, options: TEXT_OPTIONS }
  const ofChat = async () => (await described()).postChatCompletion
  const ofText = async () => (await described()).postTextCompletion
  addCompletionRoute(server, { ...chat, openapi: ofChat, tellOfLogprobs }, options)
  addCompletionRoute(server, { ...text, openapi: ofText, tellOfLogprobs }, options)
}

const NO_LOGPROBS = 'a client asks for logprobs: its answers hold none, and this is said once'

interface CompletionRoute {
  readonly path: string
  readonly read: (body: unknown) => ReadCompletion
  readonly shape: CompletionShape
  readonly options: FormatOptions
  readonly openapi: DescribeOperation
  /** Once for all who ask: a chat program sends the option with each request. */
  readonly tellOfLogprobs: (fields: LogFields) => void
}

/** A route that takes a request in OpenAI's dialect, makes an event of it, and answers whole or in a stream. */
function addCompletionRoute(
  server: FastifyInstance,
  { path, read, shape, options: format, openapi, tellOfLogprobs }: CompletionRoute,
  options: AnswerOptions,
): void {
  server.post(path, { config: { scopes: ['events'], openapi, door: 'openai' } }, async (request, reply) => {
    const asked = read(request.body)
    if (!asked.ok) return sendReply(reply, errorReply(asked.failure))
    // The event has what is needed of it, and lives longer.
    request.body = undefined
    const { event, model, stream, includeUsage, lacksLogprobs, madeOf } = asked.value
    if (lacksLogprobs) tellOfLogprobs({ request_id: request.id, path })
    const context = { shape, model, created: Math.floor(options.clock.wallTime() / 1_000) }
    const eventOptions = { ...format, ...(madeOf && { madeOf }) }
    const exchange = { request, reply, event, options: eventOptions }
    if (stream) return answerInStream(exchange, options, new CompletionChunks({ ...context, includeUsage }))
    return answerWhole(
      exchange,
      options,
      (outcome: Outcome): HttpReply =>
        outcome.error === undefined
          ? { status: 200, headers: {}, body: completionBody(outcome, context) }
          : errorReply(outcomeFailure(outcome)),
    )
  })
}
