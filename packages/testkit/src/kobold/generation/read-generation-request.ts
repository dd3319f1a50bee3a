import { isRecord, type JsonRecord } from '../../wire/json-record.ts'
import type { GenerationEndpoint } from '../contract/recorded-call.ts'
import type { KoboldVersion } from '../contract/simulator-options.ts'
import { schemaOfGrammar } from './schema-grammar.ts'

/** What a generation's body asks for. */
export interface GenerationRequest {
  readonly text: string
  readonly messages?: readonly unknown[]
  readonly prompt?: string
  readonly maxTokens: number
  readonly stops: readonly string[]
  readonly trimStop: boolean
  readonly includeUsage: boolean
  readonly schema: unknown
}

/**
 * How the real server takes a body: `crash` kills the handler (empty reply), `null` is a failed generation
 * (200 with `null`), the rest runs.
 */
type ReadResult =
  | { readonly kind: 'crash' }
  | { readonly kind: 'null' }
  | { readonly kind: 'request'; readonly request: GenerationRequest }

export function readGenerationRequest(
  body: unknown,
  endpoint: GenerationEndpoint,
  version: KoboldVersion,
): ReadResult {
  if (!isRecord(body)) return { kind: 'crash' }
  const { messages = [], prompt = '' } = body
  const text = endpoint === 'chat' ? renderMessages(messages) : prompt
  if (text === undefined) return { kind: 'crash' }
  const stops = readStops(body, endpoint, version)
  const maxTokens = readNumber(
    askedMaxTokens(body, endpoint, version),
    defaultMaxTokens(endpoint, version),
    version,
  )
  const temperature = readNumber(body.temperature, 0.7, version)
  if (typeof text !== 'string' || stops === undefined) return { kind: 'null' }
  if (maxTokens === undefined || temperature === undefined) return { kind: 'null' }
  const options = body.stream_options
  return {
    kind: 'request',
    request: {
      text,
      ...(endpoint === 'chat' ? { messages: messages as readonly unknown[] } : { prompt: text }),
      maxTokens,
      stops,
      trimStop: endpoint === 'chat' || (body.trim_stop ?? version !== '1.76') === true,
      includeUsage: version !== '1.76' && isRecord(options) && options.include_usage === true,
      schema:
        schemaOfGrammar(body.grammar) ??
        (endpoint === 'chat' && version !== '1.76' ? readSchema(body) : undefined),
    },
  }
}

/** The messages as one text, in the tags that a server without a chat template uses; undefined if the handler would crash. */
export function renderMessages(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return undefined
  let text = ''
  for (const message of messages) {
    if (!isRecord(message) || !('role' in message) || !('content' in message)) return undefined
    const tag = message.role === 'assistant' ? '\n### Response:\n' : '\n### Instruction:\n'
    const known = message.role === 'system' || message.role === 'user' || message.role === 'assistant'
    text += (known ? tag : '') + contentText(message.content)
  }
  return `${text}\n### Response:\n`
}

function partText(part: unknown): string {
  return isRecord(part) && typeof part.text === 'string' ? part.text : ''
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (Array.isArray(content)) return content.map(partText).join('')
  return content === null ? '' : String(content)
}

/** Numbers: 1.76 fails on null and text, newer servers take text for a number and else the default. */
function readNumber(value: unknown, fallback: number, version: KoboldVersion): number | undefined {
  if (value === undefined) return fallback
  if (typeof value === 'number') return value
  if (version === '1.76') return undefined
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  return Number.isNaN(number) ? fallback : number
}

function readStops(
  body: JsonRecord,
  endpoint: GenerationEndpoint,
  version: KoboldVersion,
): readonly string[] | undefined {
  const value = endpoint === 'native' ? body.stop_sequence : (body.stop ?? body.stop_sequence)
  if (version === '1.76' && endpoint !== 'native' && body.stop === null) return undefined
  if (value === undefined || value === null) return []
  // A string where the native endpoint wants a list is walked letter by letter.
  if (typeof value === 'string') return endpoint === 'native' ? [...value] : [value]
  if (!Array.isArray(value) || !value.every((stop) => typeof stop === 'string')) return undefined
  return value.filter((stop) => stop !== '')
}

function defaultMaxTokens(endpoint: GenerationEndpoint, version: KoboldVersion): number {
  if (version !== '1.76') return 1536
  return endpoint === 'chat' ? 400 : 180
}

function askedMaxTokens(body: JsonRecord, endpoint: GenerationEndpoint, version: KoboldVersion): unknown {
  if (endpoint === 'native') return body.max_length
  return version === '1.76' ? body.max_tokens : (body.max_completion_tokens ?? body.max_tokens)
}

function readSchema(body: JsonRecord): unknown {
  const format = body.response_format
  if (!isRecord(format) || format.type !== 'json_schema') return body.json_schema
  return isRecord(format.json_schema) ? (format.json_schema.schema ?? format.json_schema) : format.schema
}
