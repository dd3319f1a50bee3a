import type * as v from 'valibot'
import { BackendError, type BackendState } from '../../contract/backend.ts'
import { askFor } from '../http/ask-for.ts'
import { aborted, statusError } from '../http/errors.ts'
import { lookAside, type SideView } from './look-aside.ts'
import type { OpenAIContext } from './openai-call.ts'
import { modelsReply } from './wire.ts'

type Models = v.InferOutput<typeof modelsReply>['data']

/**
 * Asks for the models, and beside that what llama.cpp and Ollama tell of themselves; none of it waits behind a
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
    context.missing.clear()
    context.tokenizer = 'unknown'
    throw models.reason
  }
  if (aside.status === 'rejected') throw aside.reason
  const { response, text, value } = models.value
  const { status, headers } = response
  if (status === 401 || status === 403) return { models: [], authorised: false }
  if (status >= 500 || status === 429) {
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  if (value) context.models.learn(value.data.map(({ id }) => id))
  return describe(context, value?.data ?? [], aside.value)
}

/** One quick look before a first call that names no model. That nobody is there ends the call, too. */
export async function lookForModels(context: OpenAIContext, signal: AbortSignal): Promise<void> {
  try {
    const { value } = await askForModels(context, signal)
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
  const contextLength = aside.contextLength ?? entry?.max_model_len ?? entry?.context_length
  return {
    models: names,
    ...(contextLength && contextLength > 0 && { contextLength }),
    ...(aside.idle !== undefined && { idle: aside.idle }),
    ...(aside.version && { version: aside.version }),
  }
}
