import type * as v from 'valibot'
import { BackendError, type BackendState } from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import { type AnySchema, askFor } from '../http/ask-for.ts'
import type { HttpClient } from '../http/client.ts'
import { aborted, at, type ErrorPlace, statusError } from '../http/errors.ts'
import { contextLengthReply, modelReply, modelsReply, optionsReply, perfReply, versionReply } from './wire.ts'

/** What `/api/v1/model` shows to callers without the password (fact 49). */
const HIDDEN_MODEL = 'koboldcpp/protected-model'
const NO_MODEL = 'inactive'

/** What the desk knows about a server in router mode (`--routermode`), which loads the config that a request names. */
export interface Router {
  isOn: boolean
  /** The name that was asked for in the last call that was answered. */
  answered: string | undefined
  /** Names that were asked for, by the name of the model that was loaded then. */
  readonly configs: Map<string, string>
}

/** While the server behind a router loads. A time limit of the router's ends after 120 s, and the load goes on. */
export const isAway = ({ isOn }: Pick<Router, 'isOn'>, status: number): boolean =>
  isOn && (status === 502 || status === 504)

/** The server is there and will answer, however long the load takes: that is what busy means. */
export const awayError = (place: ErrorPlace, status: number): BackendError =>
  new BackendError('status', `${at(place)} loads another model.`, { status, reason: 'busy' })

export interface ProbeOptions {
  readonly name: string
  readonly client: HttpClient
  readonly router: Router
  readonly signal: AbortSignal
  readonly clock: Clock
}

/**
 * Asks the five endpoints that never wait behind a generation, all at once. Which of them exist depends on the version.
 * Throws where none of them answers, or none as a KoboldCPP does.
 */
export async function probe({ name, client, router, signal, clock }: ProbeOptions): Promise<BackendState> {
  const place = { backend: name, endpoint: 'probe' }
  let isLocked = false
  const get = async <Schema extends AnySchema>(path: string, schema: Schema) => {
    const { response, text, value } = await askFor({ client, path, schema, place, signal })
    const { status, headers } = response
    if (isAway(router, status)) throw awayError(place, status)
    if (status === 429 || (status >= 500 && status !== 501)) {
      throw statusError(place, { status, headers, text, wallTimeMs: clock.wallTime() })
    }
    isLocked ||= status === 401 || status === 403
    return value
  }
  const found = await Promise.allSettled([
    get('/api/extra/version', versionReply),
    get('/api/v1/model', modelReply),
    get('/v1/models', modelsReply),
    get('/api/extra/true_max_context_length', contextLengthReply),
    get('/api/extra/perf', perfReply),
  ])
  const [version, model, models, contextLength, perf] = found
  if (signal.aborted) throw aborted(place, 'ended')
  const failed = found.filter((one) => one.status === 'rejected')
  if (failed.length === found.length) throw failed[0]?.reason
  if (found.every((one) => one.status === 'rejected' || one.value === undefined)) {
    if (isLocked) return { models: [], authorised: false }
    throw failed[0]?.reason ?? new BackendError('wrong_shape', `${at(place)} ${NO_KOBOLDCPP}`)
  }
  if (version.status === 'fulfilled') router.isOn = version.value?.router === true
  // An older router, or one with another password, says only what is loaded.
  const options = router.isOn ? await get('/api/admin/list_options', optionsReply).catch(() => []) : []
  const state = describe({
    version: settledValue(version),
    model: settledValue(model)?.result,
    models: settledValue(models)?.data.map(({ id }) => id) ?? [],
    contextLength: settledValue(contextLength)?.value,
    perf: settledValue(perf),
    ...(router.isOn && { swaps: { options: options ?? [], router } }),
  })
  return failed.length === 0 ? state : { ...state, incomplete: true }
}

const NO_KOBOLDCPP =
  'does not answer as a KoboldCPP does. Check the URL of the backend, or set its type to `openai`.'

/** Names of a router that are no models (fact of the recorded list). */
const NO_CONFIGS: ReadonlySet<string> = new Set(['initial_model', 'unload_model'])

/** It says which model is loaded by that model's own name, and takes names of configs: which is which, calls tell. */
function loadedConfig(router: Router, model: string | undefined): string | undefined {
  if (model === undefined) return undefined
  if (router.answered !== undefined) router.configs.set(model, router.answered)
  router.answered = undefined
  return router.configs.get(model) ?? model
}

interface Findings {
  version: v.InferOutput<typeof versionReply> | undefined
  model: string | undefined
  models: readonly string[]
  contextLength: number | undefined
  swaps?: { options: readonly string[]; router: Router }
  perf: v.InferOutput<typeof perfReply> | undefined
}

function describe({ version, model, models, contextLength, perf, swaps }: Findings): BackendState {
  const configs = swaps?.options.filter((option) => !NO_CONFIGS.has(option)) ?? []
  const loaded = swaps && loadedConfig(swaps.router, model === NO_MODEL ? undefined : model)
  const shown = [...models, ...(model === undefined ? [] : [model])]
  const names = [...new Set(shown)].filter(
    (name) => name !== HIDDEN_MODEL && name !== NO_MODEL && name !== '',
  )
  const generationSpeed = speed(perf?.last_eval_speed, perf?.last_eval)
  const promptSpeed = speed(perf?.last_process_speed, perf?.last_process)
  const { idle, queue, total_gens, uptime } = perf ?? {}
  return {
    models: version?.llm === false ? [] : [...new Set([...names, ...configs])],
    ...(swaps && {
      loaded: loaded === undefined ? [] : [{ name: loaded, ...(contextLength && { contextLength }) }],
    }),
    ...(model !== undefined && { authorised: model !== HIDDEN_MODEL, hasModel: model !== NO_MODEL }),
    ...(contextLength !== undefined && contextLength > 0 && { contextLength }),
    ...(typeof idle === 'number' && { idle: idle === 1 }),
    ...(typeof queue === 'number' && { waiting: queue }),
    ...(typeof total_gens === 'number' && { served: total_gens }),
    ...(typeof uptime === 'number' && { upMs: uptime * 1000 }),
    ...(generationSpeed !== undefined && { generationSpeed }),
    ...(promptSpeed !== undefined && { promptSpeed }),
    ...(version?.vision !== undefined && { vision: version.vision }),
    ...(version?.version && { version: version.version }),
  }
}

/** Tokens per second; 1.76 says only how many milliseconds a token took. */
function speed(
  perSecond: number | null | undefined,
  msPerToken: number | null | undefined,
): number | undefined {
  if (perSecond) return perSecond
  return msPerToken ? 1000 / msPerToken : undefined
}

const settledValue = <Value>(result: PromiseSettledResult<Value>): Value | undefined =>
  result.status === 'fulfilled' ? result.value : undefined
