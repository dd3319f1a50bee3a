import type { FastifyInstance } from 'fastify'
import type { AnswerOptions } from '../answer-event.ts'
import { readTextRequest } from '../openai/read-text-request.ts'
import { textShape } from '../openai/text-shape.ts'
import { addCompletionRoute } from './add-completion-route.ts'

/** `POST /v1/completions`, OpenAI's older form. The prompt is one user turn. */
export function addCompletionsRoute(server: FastifyInstance, options: AnswerOptions): void {
  addCompletionRoute(server, { path: '/v1/completions', read: readTextRequest, shape: textShape }, options)
}
