import type { EventOptions, Outcome } from '@ai-ticket/core'
import { answerInStream, answerWhole, type HttpReply, sendReply } from '@ai-ticket/http-server'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { fastifyPlugin } from 'fastify-plugin'
import { ANTHROPIC_DIALECT, errorReply, messageFailure } from './error-reply.ts'
import { messageBody } from './message-body.ts'
import { MessageEvents } from './message-events.ts'
import { readMessagesRequest } from './read-messages-request.ts'

/**
 * Anthropic's Messages API, for a server made by `createServer`: `server.register(anthropicDoor)`. Its clients (Claude
 * Code, Anthropic's SDKs, AI SDK) find all backends behind it: `POST /v1/messages` and `POST /v1/messages/count_tokens`.
 */
export const anthropicDoor: FastifyPluginCallback = fastifyPlugin(
  (instance, _options, done) => {
    instance.addDialect(ANTHROPIC_DIALECT)
    addMessagesRoute(instance)
    addCountRoute(instance)
    done()
  },
  { name: '@ai-ticket/doors/anthropic', fastify: '5.x' },
)

/** Clients send the most that the model may write, not what they need, and conversations of any kind. */
const OPTIONS: EventOptions = { takesAnyTurn: true, maxTokensIsCeiling: true, partials: false }

function addMessagesRoute(instance: FastifyInstance): void {
  const openapi = async () => (await import('./anthropic-operations.ts')).createMessage
  instance.post(
    '/v1/messages',
    { config: { scopes: ['events'], openapi, door: 'anthropic' } },
    (request, reply) => {
      const { event, model, stream, showsThinking, madeOf } = readMessagesRequest(request.body)
      // The event has what is needed of it, and lives longer.
      request.body = undefined
      reply.header('request-id', request.id)
      const context = { model, showsThinking }
      const exchange = { request, reply, event, options: { ...OPTIONS, ...(madeOf && { madeOf }) } }
      if (stream) {
        return answerInStream(
          exchange,
          instance.desk,
          new MessageEvents({ ...context, requestId: request.id }),
        )
      }
      return answerWhole(
        exchange,
        instance.desk,
        (outcome: Outcome): HttpReply =>
          outcome.error === undefined
            ? { status: 200, headers: {}, body: messageBody(outcome, context) }
            : errorReply(messageFailure(outcome), request.id),
      )
    },
  )
}

/** Takes no slot and no place in the line. */
function addCountRoute(instance: FastifyInstance): void {
  const openapi = async () => (await import('./anthropic-operations.ts')).countMessageTokens
  const config = { scopes: ['events'] as const, openapi }
  instance.post('/v1/messages/count_tokens', { config }, async (request, reply) => {
    const { event } = readMessagesRequest(request.body)
    const count = await instance.desk.dispatcher.countTokens(event, { takesAnyTurn: true })
    if (count.error !== undefined) {
      return sendReply(reply, errorReply(messageFailure({ ...count, attempts: [] }), request.id))
    }
    reply.header('request-id', request.id)
    return { input_tokens: count.tokens }
  })
}
