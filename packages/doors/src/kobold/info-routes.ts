import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fleetOf } from './fleet.ts'
import { DEFAULT_MAX_LENGTH } from './read-generate.ts'

/** Of the KoboldAI API: from 1.2.2 on stop strings, from 1.2.4 on tokens can be unbanned. */
const API_VERSION = '1.2.5'

/** What `GET /api/v1/model` says to a caller without a key, who tells by it whether a key is right. */
const PROTECTED_MODEL = 'koboldcpp/protected-model'

/** What KoboldCPP can do beside text, and this door cannot. */
const NOT_HERE = {
  ...{ txt2img: false, vision: false, audio: false, transcribe: false, multiplayer: false, websearch: false },
  ...{ tts: false, embeddings: false, music: false, savedata: false, admin: 0, router: false },
  ...{ guidance: false, jinja: false, mcp: false },
}

/** The KoboldAI API is at both. */
export const VERSIONS = ['v1', 'latest'] as const

/** What clients read before they ask for any text. KoboldCPP tells it without a key, too. */
export function addInfoRoutes(scope: FastifyInstance): void {
  const { dispatcher } = scope.desk
  const mayAsk = (request: FastifyRequest) => scope.hasScope(request, 'events')
  const fleet = async () => fleetOf(await dispatcher.health())
  const get = (path: string, name: OperationName, answer: (request: FastifyRequest) => unknown) =>
    scope.get(
      path,
      { config: { isKeyless: true, scopes: ['events'], openapi: described(name, path) } },
      answer,
    )

  for (const version of VERSIONS) {
    const at = `/api/${version}`
    get(`${at}/model`, 'getKoboldModel', async (request) => ({
      result: mayAsk(request) ? (await fleet()).model : PROTECTED_MODEL,
    }))
    get(`${at}/info/version`, 'getKoboldApiVersion', () => ({ result: API_VERSION }))
    get(`${at}/config/max_length`, 'getKoboldMaxLength', async () => ({
      value: Math.min(DEFAULT_MAX_LENGTH, (await fleet()).contextLength),
    }))
    get(`${at}/config/max_context_length`, 'getKoboldMaxContextLength', async () => ({
      value: (await fleet()).contextLength,
    }))
    get(`${at}/config/soft_prompts_list`, 'getKoboldSoftPrompts', () => ({ values: [] }))
    get(`${at}/config/soft_prompt`, 'getKoboldSoftPrompt', () => ({ value: '' }))
  }
  get('/api/extra/true_max_context_length', 'getKoboldTrueMaxContextLength', async () => ({
    value: (await fleet()).contextLength,
  }))
  get('/api/extra/version', 'getKoboldVersion', async () => {
    const { version, model } = await fleet()
    const isLoaded = model !== 'inactive'
    return { result: 'KoboldCpp', version, protected: scope.wantsKeys, llm: isLoaded, ...NOT_HERE }
  })
  get('/api/extra/preloadstory', 'getKoboldStory', () => ({}))
}

type OperationName = keyof typeof import('./kobold-operations.ts')['INFO_OPERATIONS']

/** An address of `latest` is a second one for the same. */
const described = (name: OperationName, path: string) => async () => {
  const { INFO_OPERATIONS } = await import('./kobold-operations.ts')
  const operation = INFO_OPERATIONS[name]
  return path.startsWith('/api/latest/')
    ? { ...operation, operationId: `${operation.operationId}Latest` }
    : operation
}
