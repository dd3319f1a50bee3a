import type { ResolvedOpenAIOptions, ScriptedReply } from './openai-simulator-options.ts'

/** What a server says of itself beside its generations. */
export function infoReply(
  { flavour, models, contextLength }: ResolvedOpenAIOptions,
  path: string,
  running: number,
): ScriptedReply {
  const missing: ScriptedReply = {
    status: 404,
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
    'ollama /api/ps': { body: { models: models.map((name) => ({ name, context_length: contextLength })) } },
  }
  return own[`${flavour} ${path}`] ?? missing
}
