import type { GenerationRequest } from '../../contract/backend.ts'
import { isAnyObject } from '../../contract/json-value.ts'
import { SAMPLER_NAMES, type Turn, turnText } from '../../contract/prompt.ts'
import { defined, type RequestBody, toMessage } from '../http/request-body.ts'
import { type TranscriptTemplate, writeTranscript } from '../http/transcript.ts'

export interface BodyOptions {
  readonly dialect: Dialect
  readonly stream: boolean
  readonly template: TranscriptTemplate
  readonly model: string | undefined
}

/** The body for `/v1/chat/completions`. */
export function chatBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { tools, tool_choice, stop, parallel_tool_calls, chat_template_kwargs } = request.parameters
  const { reasoning_effort } = request.parameters
  return {
    ...commonFields(request, options),
    messages: request.turns.map(toMessage),
    ...defined({ tools, tool_choice, stop, reasoning_effort, chat_template_kwargs }),
    // Without tools OpenAI refuses it.
    ...(tools?.length ? defined({ parallel_tool_calls }) : {}),
    ...answerFormat(request),
  }
}

/** The body for `/v1/completions`. */
export function textBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { text, stop: added } = writeTranscript(request.turns, options.template)
  const { stop: own = [], grammar } = request.parameters
  const stop = [...new Set([...own, ...added])]
  return {
    ...commonFields(request, options),
    prompt: text,
    ...(stop.length > 0 && { stop }),
    ...defined({ grammar }),
  }
}

function commonFields(
  { model: wanted, parameters, isOpenEnded }: GenerationRequest,
  options: BodyOptions,
): RequestBody {
  const { temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty } = parameters
  const { frequency_penalty, logit_bias, seed, max_tokens } = parameters
  const { dialect, stream, model } = options
  return {
    ...(!isOpenEnded && { [dialect.lengthOption]: max_tokens }),
    ...defined({
      model: model ?? wanted,
      temperature,
      top_p,
      top_k: isOff(top_k) ? (dialect.topKOff ?? top_k) : top_k,
      min_p,
      // vLLM's name and llama.cpp's; each ignores the other.
      repetition_penalty,
      repeat_penalty: repetition_penalty,
      presence_penalty,
      frequency_penalty,
      logit_bias,
      seed,
      ...samplers(parameters),
    }),
    stream,
    ...(stream && dialect.streamUsage && { stream_options: { include_usage: true } }),
  }
}

/** Only what the caller has set, so that services which refuse unknown options are sent none. */
function samplers(parameters: GenerationRequest['parameters']): RequestBody {
  const { min_tokens, rep_pen_range, typical, nsigma, ban_eos_token } = parameters
  const own: RequestBody = {
    min_tokens,
    // llama.cpp's names beside KoboldCPP's.
    repeat_last_n: rep_pen_range,
    typical_p: typical,
    top_n_sigma: nsigma,
    ignore_eos: ban_eos_token,
  }
  for (const name of SAMPLER_NAMES) if (name !== 'reasoning_effort') own[name] = parameters[name]
  return own
}

/** A grammar excludes a schema: llama.cpp refuses both at once. */
function answerFormat({ parameters, schema }: GenerationRequest): RequestBody {
  const { grammar, response_format } = parameters
  if (grammar !== undefined) return { grammar }
  if (response_format && response_format.type !== 'json_object') return { response_format }
  // More servers know this than know schemas.
  if (schema && isAnyObject(schema)) return { response_format: { type: 'json_object' } }
  if (schema) return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }
  return defined({ response_format })
}

/** What this server takes of the options that not every server takes. */
export interface Dialect {
  /** `stream_options.include_usage`, which older vLLM, Mistral and some gateways refuse. */
  readonly streamUsage: boolean
  /** OpenAI's reasoning models refuse `max_tokens` and name the other one. */
  readonly lengthOption: 'max_tokens' | 'max_completion_tokens'
  /** How it says that `top_k` is off, where it refuses the other way; absent: as the caller says it. */
  readonly topKOff?: 0 | -1
}

const isOff = (topK: number | undefined) => topK === 0 || topK === -1

export const fullDialect: Dialect = { streamUsage: true, lengthOption: 'max_tokens' }

/**
 * What a refusal says of the dialect: with this change the same request may be taken. Undefined: it was refused for
 * another reason. Mistral answers 422 where others say 400.
 */
export function learnDialect(spoken: Dialect, status: number, text: string): Partial<Dialect> | undefined {
  if (status !== 400 && status !== 422) return undefined
  if (spoken.streamUsage && /stream_options|include_usage/.test(text)) return { streamUsage: false }
  if (spoken.lengthOption === 'max_tokens' && /max_completion_tokens/.test(text)) {
    return { lengthOption: 'max_completion_tokens' }
  }
  const topKOff = wantedTopK(text)
  if (topKOff !== undefined && spoken.topKOff !== topKOff) return { topKOff }
  return undefined
}

/** Older vLLM and SGLang take -1 only ("top_k must be -1 (disable), or at least 1"), llama-cpp-python only 0. */
function wantedTopK(text: string): 0 | -1 | undefined {
  if (!/top_k/.test(text)) return undefined
  if (/top_k must be -1/.test(text)) return -1
  return /top_k must be 0|greater than or equal to 0|non-?negative/.test(text) ? 0 : undefined
}

/**
 * The conversation for a chat template that takes one user and one assistant turn after the other, and no system turn:
 * neighbours of one role are joined, and the system text stands before the first user turn. Calls of tools and their
 * results stay as they are. The same list where there is nothing to join.
 */
export function joinTurns(turns: readonly Turn[]): readonly Turn[] {
  const system = turns.flatMap((turn) => (turn.role === 'system' ? turnText(turn) : [])).join(BETWEEN)
  const others = turns.filter(({ role }) => role !== 'system')
  const first = others.findIndex(({ role }) => role === 'user')
  const told: Turn[] = system === '' ? [] : [{ role: 'user', content: system }]
  const at = Math.max(0, first)
  const joined: Turn[] = []
  for (const turn of [...others.slice(0, at), ...told, ...others.slice(at)]) {
    const before = joined.at(-1)
    if (before && isPlain(before) && isPlain(turn) && before.role === turn.role)
      joined.push(join(joined.pop() ?? turn, turn))
    else joined.push(turn)
  }
  return joined.length === turns.length ? turns : joined
}

const BETWEEN = '\n\n'

const isPlain = ({ role, tool_calls }: Turn): boolean => role !== 'tool' && tool_calls === undefined

function join(one: Turn, other: Turn): Turn {
  if (typeof one.content === 'string' && typeof other.content === 'string')
    return { role: one.role, content: [one.content, other.content].join(BETWEEN) }
  return { role: one.role, content: [...partsOf(one), ...partsOf(other)] }
}

const partsOf = ({ content }: Turn) =>
  typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? [])
