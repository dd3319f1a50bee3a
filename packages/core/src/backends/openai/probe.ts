import type * as v from 'valibot'
import { BackendError, type BackendState, type LoadedModel } from '../../contract/backend.ts'
import { withTimeout } from '../../contract/clock.ts'
import { type AnySchema, askFor, type Found } from '../http/ask-for.ts'
import { aborted, statusError } from '../http/errors.ts'
import type { OpenAIContext } from './openai-call.ts'
import {
  healthReply,
  loadedReply,
  modelsReply,
  propsReply,
  runningReply,
  slotsReply,
  statesReply,
} from './wire.ts'

type Models = v.InferOutput<typeof modelsReply>['data']

/**
 * Asks for the models, and beside that what llama.cpp, Ollama, llama-swap and LM Studio tell of themselves; none of it waits behind a
 * generation. Throws a `BackendError` where the server does not answer, or answers that it is loading.
 */
export async function probe(context: OpenAIContext, signal: AbortSignal): Promise<BackendState> {
  const place = { backend: context.name, endpoint: 'probe' }
  const [models, aside] = await Promise.allSettled([
    askForModels(context, signal),
    lookAside(context, signal),
  ])
  if (signal.aborted) throw aborted(place, 'ended')
  if (models.status === 'rejected') {
    // Another server may come up in its place.
    forget(context)
    throw models.reason
  }
  if (aside.status === 'rejected') throw aside.reason
  const { response, text, value } = models.value
  const { status, headers } = response
  if (status === 401 || status === 403) return { models: [], authorised: false }
  if (status >= 500 || status === 429) {
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  if (value) {
    const before = context.models.offered()?.join()
    context.models.learn(value.data.map(({ id }) => id))
    // Another server may be there in its place: what the one before did not know is asked at the next look.
    if (before !== undefined && before !== context.models.offered()?.join()) forget(context)
  }
  return describe(context, value?.data ?? [], aside.value)
}

function forget(context: OpenAIContext): void {
  context.missing.clear()
  context.tokenizer = 'unknown'
}

/** A list that takes longer is not waited for: the call is made without a name. */
const MODELS_WAIT_MS = 3_000

/** One quick look before a first call that names no model. That nobody is there ends the call, too. */
export async function lookForModels(context: OpenAIContext, signal: AbortSignal): Promise<void> {
  try {
    const { value } = await withTimeout(context.clock, { timeoutMs: MODELS_WAIT_MS, signal }, (limited) =>
      askForModels(context, limited),
    )
    context.models.learn(value?.data.map(({ id }) => id) ?? [])
  } catch (error) {
    if (error instanceof BackendError && error.kind === 'connect' && !signal.aborted) throw error
  }
}

const askForModels = ({ client, name, root }: OpenAIContext, signal: AbortSignal) =>
  askFor({
    client,
    path: `${root.api}/models`,
    schema: modelsReply,
    place: { backend: name, endpoint: 'probe' },
    signal,
  })

function describe({ models }: OpenAIContext, listed: Models, aside: SideView): BackendState {
  const names = models.offered() ?? []
  const main = models.toSend(undefined)
  const entry = listed.find(({ id }) => id === main)
  const loaded = aside.loaded ?? loadedByRouter(listed)
  const contextLength =
    aside.contextLength ?? contextOf(main, loaded) ?? entry?.max_model_len ?? entry?.context_length
  return {
    models: names,
    ...(loaded && { loaded }),
    ...(contextLength && contextLength > 0 && { contextLength }),
    ...(aside.idle !== undefined && { idle: aside.idle }),
    ...(aside.version && { version: aside.version }),
    ...(aside.incomplete && { incomplete: true }),
  }
}

/** What llama.cpp as a router says in its list. Undefined: it is none. */
function loadedByRouter(listed: Models): LoadedModel[] | undefined {
  if (!listed.some(({ status }) => status !== undefined)) return undefined
  return listed
    .filter(({ status }) => status?.value === 'loaded')
    .map(({ id, meta }) => toLoaded(id, meta?.n_ctx))
}

const toLoaded = (name: string, contextLength: number | null | undefined): LoadedModel => ({
  name,
  ...(contextLength && contextLength > 0 && { contextLength }),
})

/** The context of the main model, or where there is none of the only one that is loaded. */
function contextOf(main: string | undefined, loaded: readonly LoadedModel[] | undefined): number | undefined {
  const found = loaded?.find(({ name }) => name === main || name === `${main}:latest`)
  const only = main === undefined && loaded?.length === 1 ? loaded[0] : undefined
  return (found ?? only)?.contextLength
}

/** What servers tell beside OpenAI's endpoints. */
interface SideView {
  readonly contextLength?: number | undefined
  readonly loaded?: readonly LoadedModel[] | undefined
  readonly idle?: boolean | undefined
  readonly version?: string | undefined
  /** It was asked for more than it told in time. */
  readonly incomplete?: boolean | undefined
}

/** The longest wait for what a server tells besides its list of models. */
const ASIDE_WAIT_MS = 1_000
/** llama.cpp answers `/slots` between two batches, which may take long; then it is not worth waiting for. */
const SLOTS_WAIT_MS = 500

/**
 * Asks what a server tells of itself. A path that is not there is not asked for again; a hosted service, whose paths
 * are its own, is not asked at all. Throws a `BackendError` where the server says that it loads its model, for
 * llama.cpp lists its models all the same meanwhile.
 */
async function lookAside(context: OpenAIContext, signal: AbortSignal): Promise<SideView> {
  if (context.root.api !== '/v1') return {}
  const [health, props, loaded, slots] = await Promise.all([
    ask(context, '/health', healthReply, signal),
    ask(context, '/props', propsReply, signal),
    askForLoaded(context, signal),
    askSlots(context, signal),
  ])
  if (isFound(health) && health.response.status === 503 && /loading/i.test(health.text)) {
    throw statusError(
      { backend: context.name, endpoint: 'probe' },
      {
        status: 503,
        headers: health.response.headers,
        text: health.text,
        wallTimeMs: context.clock.wallTime(),
      },
    )
  }
  return {
    contextLength: toldBy(props)?.default_generation_settings.n_ctx ?? undefined,
    loaded: loaded === NOT_TOLD ? undefined : loaded,
    idle: toldBy(slots)?.every(({ is_processing }) => !is_processing),
    version: toldBy(props)?.build_info ?? undefined,
    incomplete: loaded === NOT_TOLD || (loaded === undefined && props === NOT_TOLD),
  }
}

/** The models in memory, as Ollama, llama-swap or LM Studio has it. Undefined: it is none of them. */
async function askForLoaded(
  context: OpenAIContext,
  signal: AbortSignal,
): Promise<readonly LoadedModel[] | typeof NOT_TOLD | undefined> {
  const asked = await Promise.all([
    ask(context, '/api/ps', loadedReply, signal),
    ask(context, '/running', runningReply, signal),
    ask(context, '/api/v0/models', statesReply, signal),
  ])
  const [ollama, llamaSwap, studio] = [toldBy(asked[0]), toldBy(asked[1]), toldBy(asked[2])]
  if (ollama) return ollama.models.map(({ name, context_length }) => toLoaded(name, context_length))
  if (llamaSwap) {
    const ready = llamaSwap.running.filter(({ state }) => state === 'ready')
    return ready.map(({ model }) => toLoaded(model, undefined))
  }
  if (studio) {
    const loaded = studio.data.filter(({ state }) => state === 'loaded')
    return loaded.map(({ id, loaded_context_length }) => toLoaded(id, loaded_context_length))
  }
  return asked.includes(NOT_TOLD) ? NOT_TOLD : undefined
}

/** Of a server that was too slow, or hung up: no answer, and so none that says there is nothing. */
const NOT_TOLD = 'not told'

const isFound = <Value>(found: Found<Value> | typeof NOT_TOLD | undefined): found is Found<Value> =>
  typeof found === 'object'

const toldBy = <Value>(found: Found<Value> | typeof NOT_TOLD | undefined): Value | undefined =>
  isFound(found) ? found.value : undefined

const askSlots = (context: OpenAIContext, signal: AbortSignal) =>
  withTimeout(context.clock, { timeoutMs: SLOTS_WAIT_MS, signal }, (limited) =>
    ask(context, '/slots', slotsReply, limited),
  )

/** Undefined: it is not there. The list of models says whether the server answers. */
async function ask<Schema extends AnySchema>(
  { client, clock, name, missing }: OpenAIContext,
  path: string,
  schema: Schema,
  signal: AbortSignal,
): Promise<Found<v.InferOutput<Schema>> | typeof NOT_TOLD | undefined> {
  if (missing.has(path)) return undefined
  const place = { backend: name, endpoint: 'probe' }
  try {
    const found = await withTimeout(clock, { timeoutMs: ASIDE_WAIT_MS, signal }, (limited) =>
      askFor({ client, path, schema, place, signal: limited }),
    )
    // LM Studio answers 200 to any path, and notes an error in its log each time.
    const { status } = found.response
    if (found.value === undefined && (status < 500 || status === 501)) missing.add(path)
    return found
  } catch {
    return NOT_TOLD
  }
}
