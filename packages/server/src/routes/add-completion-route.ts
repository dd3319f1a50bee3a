import type { Outcome } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import { type AnswerOptions, answerInStream, answerWhole } from '../answer/answer-event.ts'
import type { HttpReply } from '../http/reply.ts'
import { sendReply } from '../http/send-reply.ts'
import type { ReadCompletion } from '../openai/asked-completion.ts'
import { completionBody } from '../openai/completion-body.ts'
import { completionChunks } from '../openai/completion-chunks.ts'
import type { CompletionShape } from '../openai/completion-shape.ts'
import { errorReply, outcomeFailure } from '../openai/error-reply.ts'
import type { DescribeOperation } from '../openapi/operation.ts'

export interface CompletionRoute {
  readonly path: string
  readonly read: (body: unknown) => ReadCompletion
  readonly shape: CompletionShape
  /** The prompt is a text to go on with. */
  readonly continues: boolean
  readonly openapi: DescribeOperation
}

/** A route that takes a request in OpenAI's dialect, makes an event of it, and answers whole or in a stream. */
export function addCompletionRoute(
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
    if (stream) return answerInStream(exchange, options, completionChunks({ ...context, includeUsage }))
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
