import type * as v from 'valibot'
import { type AnySchema, askFor, type Found } from '../http/ask-for.ts'
import { statusError } from '../http/errors.ts'
import type { OpenAIContext } from './openai-call.ts'
import { healthReply, loadedReply, propsReply, slotsReply } from './wire.ts'

/** What llama.cpp and Ollama tell beside OpenAI's endpoints. */
export interface SideView {
  readonly contextLength?: number | undefined
  readonly idle?: boolean | undefined
  readonly version?: string | undefined
}

/** llama.cpp answers `/slots` between two batches, which may take long; then it is not worth waiting for. */
const SLOTS_WAIT_MS = 500

/**
 * Asks what a server tells of itself. A path that is not there is not asked for again; a hosted service, whose paths
 * are its own, is not asked at all. Throws a `BackendError` where the server says that it loads its model, for
 * llama.cpp lists its models all the same meanwhile.
 */
export async function lookAside(context: OpenAIContext, signal: AbortSignal): Promise<SideView> {
  if (context.root.api !== '/v1') return {}
  const [health, props, loaded, slots] = await Promise.all([
    ask(context, '/health', healthReply, signal),
    ask(context, '/props', propsReply, signal),
    ask(context, '/api/ps', loadedReply, signal),
    askSlots(context, signal),
  ])
  if (health?.response.status === 503 && /loading/i.test(health.text)) {
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
    contextLength: props?.value?.default_generation_settings.n_ctx ?? loadedContext(context, loaded?.value),
    idle: slots?.value?.every(({ is_processing }) => !is_processing),
    version: props?.value?.build_info ?? undefined,
  }
}

function loadedContext(
  { models }: OpenAIContext,
  loaded: v.InferOutput<typeof loadedReply> | undefined,
): number | undefined {
  const wanted = models.toSend(undefined)
  const found = loaded?.models.find(({ name }) => name === wanted || name === `${wanted}:latest`)
  const only = wanted === undefined && loaded?.models.length === 1 ? loaded.models[0] : undefined
  return (found ?? only)?.context_length ?? undefined
}

async function askSlots(context: OpenAIContext, signal: AbortSignal) {
  const late = new AbortController()
  const timer = context.clock.setTimer(() => late.abort(), SLOTS_WAIT_MS)
  try {
    return await ask(context, '/slots', slotsReply, AbortSignal.any([signal, late.signal]))
  } finally {
    timer.cancel()
  }
}

async function ask<Schema extends AnySchema>(
  { client, name, missing }: OpenAIContext,
  path: string,
  schema: Schema,
  signal: AbortSignal,
): Promise<Found<v.InferOutput<Schema>> | undefined> {
  if (missing.has(path)) return undefined
  const place = { backend: name, endpoint: 'probe' }
  try {
    const found = await askFor({ client, path, schema, place, signal })
    // LM Studio answers 200 to any path, and notes an error in its log each time.
    const { status } = found.response
    if (found.value === undefined && (status < 500 || status === 501)) missing.add(path)
    return found
  } catch {
    return undefined
  }
}
