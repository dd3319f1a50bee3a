import type { GenerationRequest } from '../../contract/backend.ts'
import { type Parameters, SAMPLER_NAMES } from '../../contract/prompt.ts'
import { defined, type RequestBody, toMessage } from '../http/request-body.ts'
import { type TranscriptTemplate, writeTranscript } from '../http/transcript.ts'

export interface BodyOptions {
  readonly template: TranscriptTemplate
  readonly stream: boolean
  /** Sent where the request names no model. */
  readonly model?: string
  /** The schema of the request as a grammar, where the server has made one. */
  readonly schemaGrammar?: string | undefined
}

/** The body for `/v1/chat/completions`. */
export function chatBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { parameters, schema } = request
  const { tools, tool_choice, stop } = parameters
  return {
    ...openAiFields(request, options),
    messages: request.turns.map(toMessage),
    ...defined({ tools, tool_choice, stop }),
    ...answerFormat(parameters, schema, options),
  }
}

/** The body for `/v1/completions`. */
export function textBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { text, stop } = writeTranscript(request.turns, options.template)
  return {
    ...openAiFields(request, options),
    prompt: text,
    ...stopFields('stop', request.parameters.stop, stop),
    ...grammarField(request.parameters, options),
  }
}

/** The body for `/api/v1/generate` and its stream. */
export function nativeBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { text, stop } = writeTranscript(request.turns, options.template)
  const { max_tokens, seed } = request.parameters
  return {
    ...samplers(request.parameters),
    genkey: request.key,
    prompt: text,
    max_length: max_tokens,
    ...defined({ sampler_seed: seedToSend(seed) }),
    ...stopFields('stop_sequence', request.parameters.stop, stop),
    ...grammarField(request.parameters, options),
  }
}

function openAiFields(request: GenerationRequest, { stream, model }: BodyOptions): RequestBody {
  const { max_tokens, seed } = request.parameters
  return {
    ...samplers(request.parameters),
    genkey: request.key,
    max_tokens,
    ...defined({ model: request.model ?? model, seed: seedToSend(seed) }),
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  }
}

/** KoboldCPP takes 0 for "by the clock", in whole seconds; a caller who names 0 wants the same answer each time. */
const seedToSend = (seed: number | undefined) => (seed === 0 ? 2 ** 31 - 1 : seed)

/** Unset options are left out: null makes 1.76 fail with a 200. */
function samplers(parameters: GenerationRequest['parameters']): RequestBody {
  const { temperature, top_p, top_k, min_p, repetition_penalty } = parameters
  const { presence_penalty, frequency_penalty, logit_bias } = parameters
  const own: RequestBody = {}
  for (const name of SAMPLER_NAMES) own[name] = parameters[name]
  return defined({
    ...own,
    temperature,
    top_p,
    // Its word for off.
    top_k: top_k === -1 ? 0 : top_k,
    min_p,
    rep_pen: repetition_penalty,
    presence_penalty,
    frequency_penalty,
    logit_bias,
  })
}

/** 1.76 leaves the stop string at the end of the text unless it is told to trim it. */
function stopFields(
  field: string,
  own: readonly string[] | undefined,
  added: readonly string[],
): RequestBody {
  const stop = [...new Set([...(own ?? []), ...added])]
  return stop.length > 0 ? { [field]: stop, trim_stop: true } : {}
}

function answerFormat(
  parameters: Parameters,
  schema: GenerationRequest['schema'],
  options: BodyOptions,
): RequestBody {
  const { response_format } = parameters
  const grammar = grammarField(parameters, options)
  if ('grammar' in grammar) return grammar
  if (response_format?.type === 'json_schema') return { response_format }
  if (!schema) return {}
  return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }
}

function grammarField({ grammar, response_format }: Parameters, { schemaGrammar }: BodyOptions): RequestBody {
  if (grammar !== undefined) return { grammar }
  if (schemaGrammar !== undefined) return { grammar: schemaGrammar }
  return response_format?.type === 'json_object' ? { grammar: JSON_OBJECT_GRAMMAR } : {}
}

/**
 * A JSON object, as GBNF. KoboldCPP turns `response_format: json_object` into a grammar for an *array* (1.115.1) or
 * ignores it (1.76), while a grammar of the client is obeyed by both on every text endpoint.
 */
export const JSON_OBJECT_GRAMMAR = String.raw`root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F]))* "\"" ws
number ::= "-"? ([0-9] | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
ws ::= | " " | "\n" [ \t]{0,20}
`
