import { type Backend, BackendError, type Endpoint } from '../../contract/backend.ts'
import { serverOf } from '../http/check-options.ts'
import { createClient } from '../http/client.ts'
import { countTokens } from './count-tokens.ts'
import { type OpenAIEndpoint, openAIEndpoints } from './endpoints.ts'
import { generate } from './generate.ts'
import { createModelNames } from './model-names.ts'
import type { OpenAIContext } from './openai-call.ts'
import { type OpenAIBackendOptions, resolveOpenAIOptions } from './openai-options.ts'
import { probe } from './probe.ts'
import { fullDialect } from './request-body.ts'

/**
 * Any OpenAI-compatible server as a backend: llama.cpp, vLLM, Ollama, LM Studio or a hosted service, with the
 * endpoints `chat` and `text`.
 *
 * Whole answers use plain calls, streaming callers streams. A call that is aborted or left early is closed, which
 * stops these servers by themselves; nothing asks them whether they did. What a server refuses of the dialect
 * (`stream_options`, `max_tokens`) is left out or renamed from then on; the refused call is sent once more.
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
    tokenizer: 'unknown',
  }
  return {
    name: settings.name,
    server: serverOf('openai', root.server),
    endpoints: openAIEndpoints,
    generate: (endpoint, request, how) => generate(context, known(settings.name, endpoint), request, how),
    probe: (signal) => probe(context, signal),
    countTokens: (request, signal) => countTokens(context, request, signal),
    close: () => client.close(),
  }
}

function known(name: string, { name: endpoint }: Endpoint): OpenAIEndpoint {
  const found = openAIEndpoints.find((one) => one.name === endpoint)
  if (!found) throw new BackendError('invalid_request', `Backend ${name} has no endpoint ${endpoint}.`)
  return found
}
