import type { FastifyInstance } from 'fastify'
import type { AnswerOptions } from '../answer/answer-event.ts'
import { readTextRequest } from '../openai/read-text-request.ts'
import { textShape } from '../openai/text-shape.ts'
import { addCompletionRoute } from './add-completion-route.ts'

/** `POST /v1/completions`, OpenAI's older form: a text to go on with, where a backend has an endpoint for that. */
export function addCompletionsRoute(server: FastifyInstance, options: AnswerOptions): void {
  const openapi = async () => (await import('../openapi/completion-operations.ts')).postTextCompletion
  addCompletionRoute(
    server,
    { path: '/v1/completions', read: readTextRequest, shape: textShape, continues: true, openapi },
    options,
  )
}
