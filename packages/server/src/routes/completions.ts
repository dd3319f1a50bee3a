import type { Outcome } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { type AnswerOptions, answerInStream, answerWhole } from '../answer/answer-event.ts'
import { type HttpReply, sendReply } from '../http/reply.ts'
import { type CompletionShape, chatShape, completionBody, textShape } from '../openai/completion-body.ts'
import { CompletionChunks } from '../openai/completion-chunks.ts'
import { errorReply, outcomeFailure } from '../openai/error-reply.ts'
import { type ReadCompletion, readChatRequest, readTextRequest } from '../openai/read-request.ts'
import type { DescribeOperation } from '../openapi/operation.ts'

/** `POST /v1/completions`, OpenAI's older form: a text to go on with, where a backend has an endpoint for that. */
export function addCompletionsRoute(server: FastifyInstance, options: AnswerOptions): void {
  const openapi = async () => (await import('../openapi/completion-operations.ts')).postTextCompletion
  addCompletionRoute(
    server,
    { path: '/v1/completions', read: readTextRequest, shape: textShape, continues: true, openapi },
    options,
  )
}

/** `POST /v1/chat/completions`, as OpenAI's clients know it. */
export function addChatCompletionsRoute(server: FastifyInstance, options: AnswerOptions): void {
  const openapi = async () => (await import('../openapi/completion-operations.ts')).postChatCompletion
  addCompletionRoute(
    server,
    { path: '/v1/chat/completions', read: readChatRequest, shape: chatShape, continues: false, openapi },
    options,
  )
}

interface CompletionRoute {
  readonly path: string
  readonly read: (body: unknown) => ReadCompletion
  readonly shape: CompletionShape
  /** The prompt is a text to go on with. */
  readonly continues: boolean
  readonly openapi: DescribeOperation
}

/** A route that takes a request in OpenAI's dialect, makes an event of it, and answers whole or in a stream. */
function addCompletionRoute(
  server: FastifyInstance,
  { path, read, shape, continues, openapi }: CompletionRoute,
  options: AnswerOptions,
): void {
  server.post(path, { config: { scopes: ['events'], openapi } }, async (request, reply) => {
    const asked = read(request.body)
    if (!asked.ok) return sendReply(reply, errorReply(asked.failure))
    const { event, model, stream, includeUsage } = asked.value
    const context = { shape, model, created: Math.floor(options.clock.wallTime() / 1_000) }
    const exchange = { request, reply, event, continues }
    if (stream) return answerInStream(exchange, options, new CompletionChunks({ ...context, includeUsage }))
    return answerWhole(
      exchange,
      options,
      (outcome: Outcome): HttpReply =>
        'completion' in outcome
          ? { status: 200, headers: {}, body: completionBody(outcome, context) }
          : errorReply(outcomeFailure(outcome)),
    )
  })
}
