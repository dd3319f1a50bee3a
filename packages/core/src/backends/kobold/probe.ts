import type * as v from 'valibot'
import type { BackendState } from '../../contract/backend.ts'
import { type AnySchema, askFor } from '../http/ask-for.ts'
import type { HttpClient } from '../http/client.ts'
import { aborted } from '../http/errors.ts'
import { contextLengthReply, modelReply, modelsReply, perfReply, versionReply } from './wire.ts'

/** What `/api/v1/model` shows to callers without the password (fact 49). */
const HIDDEN_MODEL = 'koboldcpp/protected-model'
const NO_MODEL = 'inactive'

export interface ProbeOptions {
  readonly name: string
  readonly client: HttpClient
  readonly signal: AbortSignal
}

/**
 * Asks the five endpoints that never wait behind a generation, all at once. Throws only where not one of them
 * answers: which of them exist depends on the version.
 */
export async function probe({ name, client, signal }: ProbeOptions): Promise<BackendState> {
  const place = { backend: name, endpoint: 'probe' }
  const get = async <Schema extends AnySchema>(path: string, schema: Schema) =>
    (await askFor({ client, path, schema, place, signal })).value
  const [version, model, models, contextLength, perf] = await Promise.allSettled([
    get('/api/extra/version', versionReply),
    get('/api/v1/model', modelReply),
    get('/v1/models', modelsReply),
    get('/api/extra/true_max_context_length', contextLengthReply),
    get('/api/extra/perf', perfReply),
  ])
  if (signal.aborted) throw aborted(place, 'ended')
  if ([version, model, models, contextLength, perf].every(({ status }) => status === 'rejected')) {
    throw version.status === 'rejected' ? version.reason : undefined
  }
  return describe({
    version: settledValue(version),
    model: settledValue(model)?.result,
    models: settledValue(models)?.data.map(({ id }) => id) ?? [],
    contextLength: settledValue(contextLength)?.value,
    perf: settledValue(perf),
  })
}

interface Findings {
  version: v.InferOutput<typeof versionReply> | undefined
  model: string | undefined
  models: readonly string[]
  contextLength: number | undefined
  perf: v.InferOutput<typeof perfReply> | undefined
}

function describe({ version, model, models, contextLength, perf }: Findings): BackendState {
  const shown = [...models, ...(model === undefined ? [] : [model])]
  const names = [...new Set(shown)].filter(
    (name) => name !== HIDDEN_MODEL && name !== NO_MODEL && name !== '',
  )
  const generationSpeed = speed(perf?.last_eval_speed, perf?.last_eval)
  const promptSpeed = speed(perf?.last_process_speed, perf?.last_process)
  const { idle, queue, total_gens, uptime } = perf ?? {}
  return {
    models: version?.llm === false ? [] : names,
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
