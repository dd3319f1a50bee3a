import type { BackendHealth } from '@ai-ticket/core'
import type { FastifyInstance } from 'fastify'
import type { AnswerOptions } from '../answer/answer-event.ts'
import { sendReply } from '../http/reply.ts'
import { errorReply } from '../openai/error-reply.ts'

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

export interface Model {
  readonly id: string
  readonly object: 'model'
  /** Unix time in seconds. */
  readonly created: number
  /** The backend that serves it. */
  readonly owned_by: string
}

export interface ModelList {
  readonly object: 'list'
  readonly data: readonly Model[]
}

/** The models that the backends report and their aliases, each once, and `default`, which any of them may answer. */
export function modelList(
  backends: readonly Pick<BackendHealth, 'name' | 'models' | 'aliases'>[],
  created: number,
): ModelList {
  const owners = new Map<string, string>()
  for (const { name, models, aliases = [] } of backends) {
    for (const id of [...models, ...aliases]) if (!owners.has(id)) owners.set(id, name)
  }
  if (!owners.has('default')) owners.set('default', 'ai-ticket')
  const toModel = ([id, owned_by]: [string, string]): Model => ({ id, object: 'model', created, owned_by })
  return { object: 'list', data: [...owners].map(toModel) }
}

/** By its name, with or without the `koboldcpp/` that KoboldCPP puts before it. */
export const findModel = ({ data }: ModelList, id: string): Model | undefined =>
  data.find((model) => bare(model.id) === bare(id))

const bare = (id: string) => id.replace(/^koboldcpp\//, '')
