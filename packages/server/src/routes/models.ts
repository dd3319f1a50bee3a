import type { FastifyInstance } from 'fastify'
import type { AnswerOptions } from '../answer/answer-event.ts'
import { sendReply } from '../http/send-reply.ts'
import { errorReply } from '../openai/error-reply.ts'
import { findModel, modelList } from './model-list.ts'

/** `GET /v1/models` and `GET /v1/models/:id`: what the backends serve now. */
export function addModelRoutes(
  server: FastifyInstance,
  { dispatcher, clock }: Pick<AnswerOptions, 'dispatcher' | 'clock'>,
): void {
  // OpenAI's shape wants a time, and no backend tells when its model was made.
  const created = Math.floor(clock.wallTime() / 1_000)
  const list = async () => modelList((await dispatcher.health()).backends, created)
  server.get('/v1/models', { config: { ...EVENTS, openapi: openapi('getModels') } }, list)
  // Names of models hold slashes, which some clients send as they are.
  server.get<{ Params: { '*': string } }>(
    '/v1/models/*',
    { config: { ...EVENTS, openapi: openapi('getModel') } },
    async (request, reply) => {
      const models = await list()
      const model = findModel(models, request.params['*'])
      if (model) return model
      const known = models.data.map(({ id }) => id).join(', ')
      return sendReply(
        reply,
        errorReply({ ...UNKNOWN_MODEL, details: `No backend serves this model. Known: ${known}.` }),
      )
    },
  )
}

const EVENTS = { scopes: ['events'] } as const

const openapi = (name: 'getModels' | 'getModel') => async () =>
  (await import('../openapi/completion-operations.ts'))[name]

const UNKNOWN_MODEL = { code: 'not_found', openAiCode: 'model_not_found', param: 'model' } as const
