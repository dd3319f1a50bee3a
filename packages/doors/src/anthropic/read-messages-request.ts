import type { NamesOfObject } from '@ai-ticket/core'
import { namesIn } from '@ai-ticket/http-server'
import { type Fields, isRecord, nameAt, refuse } from './read-fields.ts'
import { readTools } from './read-tools.ts'
import { readTurns } from './read-turns.ts'

/** A request for a message, as the desk understands it. */
export interface AskedMessage {
  /** For the dispatcher, which checks ranges. */
  readonly event: Fields
  /** The model's name as the caller wrote it; undefined: any. */
  readonly model: string | undefined
  readonly stream: boolean
  /** Whether the answer shows what the model thought. */
  readonly showsThinking: boolean
  /** Present where the request has a field that nobody reads: it may be a known one, misspelt. */
  readonly madeOf: NamesOfObject | undefined
}

/**
 * A body of `POST /v1/messages`, or of `POST /v1/messages/count_tokens`. What it does not name is ignored, as are caching,
 * betas and the budget of thoughts. Throws a `RequestProblem` that names the field.
 */
export function readMessagesRequest(body: unknown): AskedMessage {
  if (!isRecord(body)) throw refuse('body', 'must be a JSON object.')
  const { stream, thinking, metadata } = body
  if (stream != null && typeof stream !== 'boolean') throw refuse('stream', 'must be true or false.')
  if (Array.isArray(body.mcp_servers) && body.mcp_servers.length > 0) {
    throw refuse('mcp_servers', 'is not supported: let the client call the servers, and send their `tools`.')
  }
  // Clients whose user chose none send an empty name.
  const model = body.model == null || body.model === '' ? undefined : nameAt(body.model, 'model')
  const schema = readSchema(body)
  return {
    event: {
      content: { messages: readTurns(body) },
      ...(model !== undefined && { model }),
      ...(schema && { schema }),
      ...(isRecord(metadata) && { metadata }),
      parameters: { ...readSampling(body), ...readTools(body) },
    },
    model,
    stream: stream === true,
    showsThinking: !isRecord(thinking) || (thinking.type !== 'disabled' && thinking.display !== 'omitted'),
    madeOf: namesIn(body, KNOWN),
  }
}

const SAMPLING = ['max_tokens', 'temperature', 'top_p', 'top_k'] as const

/** What is read, and what is left out without a word because only Anthropic's own service knows it. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'system', 'stream', 'thinking', 'metadata', 'mcp_servers', 'tools', 'tool_choice'],
  ...['stop_sequences', 'output_config', 'output_format', ...SAMPLING],
  ...['anthropic_beta', 'betas', 'billing_policy', 'cache_control', 'compaction', 'container', 'diagnostics'],
  ...['context_management', 'fallback_credit_token', 'fallbacks', 'inference_geo', 'service_tier', 'speed'],
  ...['thread', 'user_profile_id', 'workspace_id'],
])

function readSampling(body: Fields): Fields {
  const parameters: Record<string, unknown> = {}
  for (const name of SAMPLING) if (body[name] != null) parameters[name] = body[name]
  const { stop_sequences, output_config } = body
  if (stop_sequences != null) {
    if (!Array.isArray(stop_sequences)) throw refuse('stop_sequences', 'must be a list of strings.')
    parameters.stop = stop_sequences.map((text, index) => nameAt(text, `stop_sequences[${index}]`))
  }
  const effort = isRecord(output_config) ? EFFORTS.get(output_config.effort) : undefined
  if (effort !== undefined) parameters.reasoning_effort = effort
  return parameters
}

/** Models that know an effort know three. */
const EFFORTS: ReadonlyMap<unknown, string> = new Map([
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'high'],
  ['max', 'high'],
])

/** `output_format` is the older name of `output_config.format`. */
function readSchema({ output_config, output_format }: Fields): Fields | undefined {
  const isNew = isRecord(output_config) && output_config.format != null
  const format = isNew ? output_config.format : output_format
  if (format == null) return undefined
  const path = isNew ? 'output_config.format' : 'output_format'
  if (!isRecord(format) || format.type !== 'json_schema') throw refuse(`${path}.type`, 'must be json_schema.')
  if (!isRecord(format.schema)) throw refuse(`${path}.schema`, 'must be a JSON Schema.')
  return format.schema
}
