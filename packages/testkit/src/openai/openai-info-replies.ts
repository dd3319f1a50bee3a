import type { JsonRecord } from '../wire/json-record.ts'
import type { ResolvedOpenAIOptions, ScriptedReply } from './openai-simulator-options.ts'
import { promptTokensOf } from './openai-tokenizer.ts'

/** What a server says of itself beside its generations. */
export function infoReply(
  { flavour, models, contextLength }: ResolvedOpenAIOptions,
  path: string,
  { running, loaded }: { readonly running: number; readonly loaded: readonly string[] },
): ScriptedReply {
  const missing: ScriptedReply = {
    status: flavour === 'lm-studio' ? 200 : 404,
    body:
      flavour === 'ollama'
        ? '404 page not found'
        : { error: { message: 'Not Found', type: 'not_found_error', code: 404 } },
  }
  if (path === '/v1/models') {
    const limit = flavour === 'vllm' ? { max_model_len: contextLength } : {}
    return { body: { object: 'list', data: models.map((id) => ({ id, object: 'model', ...limit })) } }
  }
  const own: Record<string, ScriptedReply> = {
    'llama.cpp /health': { body: { status: 'ok' } },
    'llama.cpp /props': {
      body: { default_generation_settings: { n_ctx: contextLength }, build_info: 'b8681-simulator' },
    },
    'llama.cpp /slots': { body: [{ id: 0, n_ctx: contextLength, is_processing: running > 0 }] },
    'vllm /health': { body: '' },
    'ollama /api/ps': { body: { models: loaded.map((name) => ({ name, context_length: contextLength })) } },
    'llama-swap /running': { body: { running: loaded.map((model) => ({ model, state: 'ready' })) } },
    'lm-studio /api/v0/models': {
      body: {
        data: models.map((id) =>
          loaded.includes(id)
            ? { id, state: 'loaded', loaded_context_length: contextLength }
            : { id, state: 'not-loaded', max_context_length: contextLength },
        ),
      },
    },
  }
  return own[`${flavour} ${path}`] ?? missing
}

/** What a call is refused for, in the server's own words; undefined: it is answered. */
export function refusal(
  settings: ResolvedOpenAIOptions,
  authorization: string | undefined,
  body: JsonRecord,
): ScriptedReply | undefined {
  const { apiKey, refusedFields } = settings
  if (apiKey !== undefined && authorization !== `Bearer ${apiKey}`) {
    return problem(401, 'Invalid API Key', { type: 'authentication_error', code: 'invalid_api_key' })
  }
  const refused = refusedFields.find((field) => field in body)
  if (refused !== undefined) {
    const message =
      refused === 'max_tokens'
        ? "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        : `Unrecognized request argument supplied: ${refused}`
    return problem(400, message, { type: 'invalid_request_error', param: refused })
  }
  return refuseModel(settings, body.model) ?? refuseLength(settings, body)
}

function refuseModel({ flavour, models }: ResolvedOpenAIOptions, model: unknown): ScriptedReply | undefined {
  if (flavour === 'llama.cpp' || models.includes(String(model))) return undefined
  if (model === undefined) {
    return flavour === 'vllm'
      ? undefined
      : problem(400, 'model is required', { type: 'invalid_request_error' })
  }
  if (flavour === 'vllm') {
    return problem(404, `The model \`${model}\` does not exist.`, { type: 'NotFoundError', code: 404 })
  }
  if (flavour === 'ollama') {
    return problem(404, `model '${model}' not found`, { type: 'not_found_error' })
  }
  return problem(404, `The model ${model} does not exist or you do not have access to it.`, {
    type: 'invalid_request_error',
    code: 'model_not_found',
  })
}

function refuseLength({ contextLength }: ResolvedOpenAIOptions, body: JsonRecord): ScriptedReply | undefined {
  if (promptTokensOf(body) < contextLength) return undefined
  const message = 'the request exceeds the available context size, try increasing it'
  return problem(400, message, { type: 'exceed_context_size_error', code: 400 })
}

const problem = (status: number, message: string, fields: object): ScriptedReply => ({
  status,
  body: { error: { message, type: 'invalid_request_error', param: null, code: null, ...fields } },
})
