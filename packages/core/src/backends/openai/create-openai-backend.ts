import {
  type Backend,
  BackendError,
  type Endpoint,
  type GenerationEvent,
  type GenerationOptions,
  type GenerationRequest,
} from '../../contract/backend.ts'
import { serverOf } from '../http/check-options.ts'
import { createClient } from '../http/client.ts'
import { aborted, statusError } from '../http/errors.ts'
import { guardCall, openCall } from '../http/open-call.ts'
import { readWhole } from '../http/read-reply.ts'
import { checkBodySize, checkRequest, writeBody } from '../http/request-body.ts'
import { countTokens } from './count-tokens.ts'
import { type OpenAIEndpoint, openAIEndpoints } from './endpoints.ts'
import {
  createModelNames,
  type Learned,
  type OpenAIContext,
  type Run,
  turnsFor,
  waitFor,
} from './openai-call.ts'
import { type OpenAIBackendOptions, resolveOpenAIOptions } from './openai-options.ts'
import { lookForModels, probe } from './probe.ts'
import { fullDialect, joinTurns, learnDialect } from './request-body.ts'
import { streamAnswer, wholeAnswer } from './stream-answer.ts'

/**
 * Any OpenAI-compatible server as a backend: llama.cpp, vLLM, Ollama, LM Studio or a hosted service, with the
 * endpoints `chat` and `text`.
 *
 * Whole answers use plain calls, streaming callers streams. A call that is aborted or left early is closed, which
 * stops these servers by themselves; nothing asks them whether they did. What a server refuses of the dialect
 * (`stream_options`, `max_tokens`) is left out or renamed from then on, and a chat template that refuses the roles of a
 * conversation gets its turns joined; the refused call is sent once more, and what made the server take it is kept.
 *
 * llama.cpp and vLLM are asked to count the tokens of long prompts; other servers cannot.
 *
 * Not covered: a prompt that a server cuts in silence, as Ollama does; a `grammar` that a server other than llama.cpp
 * ignores; hosted models that refuse a `temperature`.
 *
 * Throws a `TypeError` for a bad option. Habits of servers come from their documentation and issue lists.
 */
export function createOpenAIBackend(options: OpenAIBackendOptions): Backend {
  const { root, apiKey, connectTimeoutMs, fetch, model, models, ...settings } = resolveOpenAIOptions(options)
  const client = createClient({
    baseUrl: root.server,
    connectTimeoutMs,
    ...(apiKey !== undefined && { apiKey }),
    ...(fetch && { fetch }),
  })
  const context: OpenAIContext = {
    ...settings,
    root,
    client,
    models: createModelNames({ model, models }),
    missing: new Set(),
    dialect: fullDialect,
    strictModels: new Set(),
    tokenizer: 'unknown',
  }
  return {
    name: settings.name,
    server: serverOf('openai', root.server),
    warmPrompts: WARM_PROMPTS,
    ...(model !== undefined && { defaultModel: model }),
    endpoints: openAIEndpoints,
    generate: (endpoint, request, how) => generate(context, known(settings.name, endpoint), request, how),
    probe: (signal) => probe(context, signal),
    countTokens: (request, signal) => countTokens(context, request, signal),
    close: () => client.close(),
  }
}

/** Most of these servers keep as many prompts as their memory holds; how many, none of them says. */
const WARM_PROMPTS = 100

function known(name: string, { name: endpoint }: Endpoint): OpenAIEndpoint {
  const found = openAIEndpoints.find((one) => one.name === endpoint)
  if (!found) throw new BackendError('invalid_request', `Backend ${name} has no endpoint ${endpoint}.`)
  return found
}

/** One call of one endpoint, by the duties that `Backend` names. Closing the connection stops these servers. */
async function* generate(
  context: OpenAIContext,
  endpoint: OpenAIEndpoint,
  request: GenerationRequest,
  options: GenerationOptions,
): AsyncGenerator<GenerationEvent> {
  const place = { backend: context.name, endpoint: endpoint.name }
  checkRequest(context.name, endpoint, request)
  if (context.models.needsLook(request.model)) await lookForModels(context, options.signal)
  let learned: Learned = {}
  for (;;) {
    if (options.signal.aborted) throw aborted(place, 'not_sent')
    const run = openRun(context, endpoint, request, { ...options, learned })
    try {
      const response = await waitFor(run, run.call.response)
      if (response.ok) {
        keepLearned(run)
        if (options.stream) return yield* streamAnswer(run, response)
        return yield await wholeAnswer(run, response)
      }
      learned = await refused(run, response)
    } finally {
      run.guard.release()
      run.call.hangUp()
    }
  }
}

function openRun(
  context: OpenAIContext,
  endpoint: OpenAIEndpoint,
  request: GenerationRequest,
  { signal, stream, learned }: GenerationOptions & { readonly learned: Learned },
): Run {
  const { clock, client, root, template, tokenTimeoutMs } = context
  const dialect = { ...context.dialect, ...learned.dialect }
  const place = { backend: context.name, endpoint: endpoint.name }
  const model = context.models.toSend(request.model)
  const turns = learned.isStrict ? joinTurns(request.turns) : turnsFor(context, request)
  const body = writeBody(place, endpoint.body({ ...request, turns }, { dialect, stream, template, model }))
  checkBodySize(place, body)
  const path = root.api + endpoint.path
  const call = openCall(client, { path, body, ...(request.headers && { headers: request.headers }) })
  const guard = guardCall({ clock, signal, tokenTimeoutMs })
  const isJoined = turns !== request.turns
  return { context, place, endpoint, request, call, guard, dialect, learned, isJoined }
}

/** Returns how the same request may be taken; else throws. */
async function refused(run: Run, response: Response): Promise<Learned> {
  const { context, place, learned } = run
  const { text } = await waitFor(run, readWhole(response))
  const { status, headers } = response
  const change = learnDialect(run.dialect, status, text)
  // A server that wants now one word and now the other is not asked for ever.
  if (change && !Object.keys(change).some((name) => name in (learned.dialect ?? {}))) {
    return { ...learned, dialect: { ...learned.dialect, ...change } }
  }
  const error = statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  if (error.reason !== 'template' || !canJoin(run)) throw error
  return { ...learned, isStrict: true }
}

/** Whether there are turns to join, and they were not joined in this call. */
const canJoin = ({ endpoint, request, isJoined }: Run): boolean =>
  endpoint.turns && !isJoined && joinTurns(request.turns) !== request.turns

/** What made a server take a request that it had refused: a refusal alone may only repeat what its caller wrote. */
function keepLearned({ context, request, learned: { dialect, isStrict } }: Run): void {
  if (dialect) context.dialect = { ...context.dialect, ...dialect }
  if (isStrict) context.strictModels.add(context.models.toSend(request.model) ?? '')
}
