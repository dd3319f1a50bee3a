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

/** One object for clients of OpenAI, Anthropic and of servers like vLLM: each reads its own fields. */
export interface Model {
  readonly id: string
  readonly object: 'model'
  /** Unix time in seconds. */
  readonly created: number
  /** The backend that serves it. */
  readonly owned_by: string
  /** Anthropic's. */
  readonly type: 'model'
  readonly display_name: string
  /** The same time as `created`. */
  readonly created_at: string
  /** In tokens, by OpenRouter's name and by vLLM's. Absent: its backend does not say. */
  readonly context_length?: number
  readonly max_model_len?: number
}

export interface ModelList {
  readonly object: 'list'
  readonly data: readonly Model[]
  /** Anthropic's: its clients ask for pages, and there is one. */
  readonly has_more: false
  readonly first_id: string | null
  readonly last_id: string | null
}

/** The models that the backends report and their aliases, each once, and `default`, which any of them may answer. */
export function modelList(
  backends: readonly Pick<BackendHealth, 'name' | 'models' | 'aliases' | 'context_length'>[],
  created: number,
): ModelList {
  const owners = new Map<string, Owner>()
  for (const { name, models, aliases = [], context_length } of backends) {
    for (const id of [...models, ...aliases]) {
      owners.set(id, withSmaller(owners.get(id) ?? { name, context: undefined }, context_length))
    }
  }
  if (!owners.has('default')) {
    const contexts = backends.map(({ context_length }) => context_length)
    owners.set('default', contexts.reduce<Owner>(withSmaller, { name: 'ai-ticket', context: undefined }))
  }
  const data = [...owners].map(([id, owner]) => toModel(id, owner, created))
  const [first, last] = [data[0]?.id ?? null, data.at(-1)?.id ?? null]
  return { object: 'list', data, has_more: false, first_id: first, last_id: last }
}

/** The first backend that serves a model, and the smallest context of all that do: any of them may answer. */
interface Owner {
  readonly name: string
  readonly context: number | undefined
}

const withSmaller = ({ name, context }: Owner, other: number | undefined): Owner => ({
  name,
  context: context === undefined || other === undefined ? (context ?? other) : Math.min(context, other),
})

const toModel = (id: string, { name, context }: Owner, created: number): Model => ({
  id,
  object: 'model',
  created,
  owned_by: name,
  type: 'model',
  display_name: id,
  created_at: new Date(created * 1_000).toISOString(),
  ...(context !== undefined && { context_length: context, max_model_len: context }),
})

/** By its name, with or without the `koboldcpp/` that KoboldCPP puts before it. */
export const findModel = ({ data }: ModelList, id: string): Model | undefined =>
  data.find((model) => bare(model.id) === bare(id))

const bare = (id: string) => id.replace(/^koboldcpp\//, '')
