import type { FastifyInstance } from 'fastify'
import type { AnswerOptions } from '../answer/answer-event.ts'
import { chatShape } from '../openai/chat-shape.ts'
import { readChatRequest } from '../openai/read-chat-request.ts'
import { addCompletionRoute } from './add-completion-route.ts'

/** `POST /v1/chat/completions`, as OpenAI's clients know it. */
export function addChatCompletionsRoute(server: FastifyInstance, options: AnswerOptions): void {
  const openapi = async () => (await import('../openapi/completion-operations.ts')).postChatCompletion
  addCompletionRoute(
    server,
    { path: '/v1/chat/completions', read: readChatRequest, shape: chatShape, continues: false, openapi },
    options,
  )
}
