import * as v from 'valibot'
import {
  BackendError,
  type Endpoint,
  type GenerationEnd,
  type GenerationRequest,
} from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { Usage } from '../../contract/outcome.ts'
import { type Parameters, SAMPLER_NAMES } from '../../contract/prompt.ts'
import { endOf, refuseUnfinished } from '../http/completion-wire.ts'
import { at, type ErrorPlace, statusError } from '../http/errors.ts'
import {
  asAsked,
  type Chunk,
  type RawAnswer,
  readChatChunk,
  readChatReply,
  readTextChunk,
  readTextReply,
  toEnd,
} from '../http/read-completion.ts'
import { isErrorFrame, notAnAnswer, parseReply, type WholeReply } from '../http/read-reply.ts'
import { defined, type RequestBody, toMessage } from '../http/request-body.ts'
import { type TranscriptTemplate, writeTranscript } from '../http/transcript.ts'
import { awayError, isAway, type Router } from './probe.ts'
import type { PerfAnswer, SideChannel } from './side-channel.ts'
import { nativeChunk, nativeReply } from './wire.ts'

export interface KoboldEndpoint extends Endpoint {
  readonly path: string
  readonly streamPath: string
  /** Its streams end at `[DONE]`; a native stream ends at its finish reason. */
  readonly endMark: boolean
  /** It adds stop strings of its own, so that "length" may mean one of them. */
  readonly addsStops: boolean
  body(request: GenerationRequest, options: BodyOptions): RequestBody
  /** Undefined: the wrong shape, or no choice in it. */
  readReply(reply: unknown): RawAnswer | undefined
  readChunk(data: unknown): Chunk | undefined
}

const chat: KoboldEndpoint = {
  name: 'chat',
  turns: true,
  images: true,
  tools: true,
  schema: 'grammar',
  seedsByClock: true,
  path: '/v1/chat/completions',
  streamPath: '/v1/chat/completions',
  endMark: true,
  addsStops: true,
  body: chatBody,
  readReply: (reply) => withRealUsage(readChatReply(reply)),
  readChunk: (data) => withRealUsage(readChatChunk(data)),
}

const text: KoboldEndpoint = {
  name: 'text',
  turns: false,
  images: false,
  tools: false,
  schema: 'grammar',
  seedsByClock: true,
  path: '/v1/completions',
  streamPath: '/v1/completions',
  endMark: true,
  addsStops: false,
  body: textBody,
  readReply: (reply) => withRealUsage(readTextReply(reply)),
  readChunk: (data) => withRealUsage(readTextChunk(data)),
}

/** What it read of a prompt it does not say, whatever it says (fact 60). */
function withRealUsage(answer: (RawAnswer & { id?: string | undefined }) | undefined): RawAnswer | undefined {
  return answer && { ...answer, usage: realUsage(answer.usage, answer.id), cachedTokens: undefined }
}

const native: KoboldEndpoint = {
  ...text,
  name: 'native',
  path: '/api/v1/generate',
  streamPath: '/api/extra/generate/stream',
  endMark: false,
  body: nativeBody,
  readReply(reply) {
    const { success, output } = v.safeParse(nativeReply, reply)
    const result = success ? output.results[0] : undefined
    if (!result) return undefined
    const { prompt_tokens, completion_tokens } = result
    const counted = typeof prompt_tokens === 'number' && typeof completion_tokens === 'number'
    return {
      text: result.text,
      rawFinishReason: result.finish_reason,
      usage: counted ? { prompt_tokens, completion_tokens } : undefined,
    }
  },
  readChunk(data) {
    const { success, output } = v.safeParse(nativeChunk, data)
    return success ? { text: output.token, rawFinishReason: output.finish_reason } : undefined
  },
}

/** In order of preference. */
export const koboldEndpoints: readonly KoboldEndpoint[] = [chat, text, native]

/** Real counts only: 1.76 says 100, 100 and 200 to everybody, under an id that never changes. */
function realUsage(usage: Usage | undefined, id: string | undefined): Usage | undefined {
  if (!usage) return undefined
  const { prompt_tokens, completion_tokens } = usage
  const constant = prompt_tokens === 100 && completion_tokens === 100 && /^(chatcmpl|cmpl)-A1$/.test(id ?? '')
  return constant ? undefined : usage
}

export interface AnswerContext {
  readonly context: {
    /** In tokens; undefined: not known. */
    readonly contextLength?: number | undefined
    readonly clock: Clock
    readonly side: Pick<SideChannel, 'perf'>
    readonly router: Pick<Router, 'isOn'>
    readonly closed: AbortSignal
  }
  readonly endpoint: KoboldEndpoint
  readonly place: ErrorPlace
  readonly request: GenerationRequest
  /** A stop string may have ended the text: the caller's, the transcript's, or those a chat endpoint adds. */
  readonly mayHitStop: boolean
  /** When the call began, on the clock. */
  readonly startedAt: number
}

/** Turns what came into the end of a generation; throws where an answer of 200 is none. `isPlain`: it was no stream. */
export async function finishAnswer(
  answer: RawAnswer,
  context: AnswerContext,
  isPlain = false,
): Promise<GenerationEnd> {
  refuseEmpty(answer, context)
  const reason = endOf(answer, context.request.parameters.max_tokens)
  // A call whose arguments break off is cut, whatever else its "length" may mean.
  if (reason !== 'length' || answer.toolCalls?.length) return toEnd(answer, reason)
  const tookMs = context.context.clock.now() - context.startedAt
  const { isCut, perf } = await lookAtEnd(answer, context)
  // A stream tells by itself when the prompt had been read.
  const times = isPlain && perf ? timesOf(perf, answer.usage, tookMs) : undefined
  return toEnd({ ...answer, times }, isCut ? reason : 'stop')
}

/** More than the server says that it worked: its lock after an answer, and the way there and back. */
const OVERHEAD_MS = 250

/**
 * The server's times of its last generation, where that was ours: the counts are the same, and nobody waits to be served.
 * Of a prompt that it had kept it says how long all of it would have taken (fact 60), so that is only the most.
 */
function timesOf(
  { queue, lastTokens, lastTimes }: PerfAnswer,
  usage: Usage | undefined,
  tookMs: number,
): GenerationEnd['times'] {
  if (!usage || !lastTimes || queue !== 0 || lastTokens !== usage.completion_tokens) return undefined
  const completionMs = lastTimes.writtenMs * lastTokens
  const promptMs = tookMs - completionMs
  const isOurs = promptMs >= 0 && promptMs <= lastTimes.readMs * usage.prompt_tokens + OVERHEAD_MS
  return isOurs && completionMs > 0 ? { promptMs, completionMs } : undefined
}

/** Of a longer one KoboldCPP 1.115.1 generates so much of its context, without a word (fact 64). */
const LARGEST_SHARE = 0.8

/**
 * KoboldCPP says "length" for the limit, a stop string and an abort alike. With a real count, an answer is cut that
 * reached a limit or filled the context. Else the server is asked how its last generation ended.
 */
async function lookAtEnd(
  { usage, text }: RawAnswer,
  answered: AnswerContext,
): Promise<{ readonly isCut: boolean; readonly perf?: PerfAnswer }> {
  const { request, mayHitStop, context } = answered
  const { contextLength = Number.POSITIVE_INFINITY } = context
  const limit = Math.min(request.parameters.max_tokens, Math.floor(contextLength * LARGEST_SHARE))
  const bytes = Buffer.byteLength(text)
  if (usage) {
    const { prompt_tokens, completion_tokens } = usage
    if (completion_tokens >= limit) return { isCut: true }
    if (completion_tokens > 0 && prompt_tokens + completion_tokens >= contextLength) return { isCut: true }
  } else if (!mayHitStop && bytes >= limit) return { isCut: true } // A token is at least one byte.
  const { side, closed } = context
  const perf = await side.perf({ timeoutMs: LAST_END_TIMEOUT_MS, signal: closed })
  if (perf.as !== 'answered') return { isCut: false }
  const { lastEnd, lastTokens = 0 } = perf.value
  // A generation of another client may have ended since; the count would be that one's.
  const isOurs = usage ? lastTokens === usage.completion_tokens : lastTokens > 0 && lastTokens <= bytes
  return { isCut: lastEnd === 'limit' && isOurs, perf: perf.value }
}

const LAST_END_TIMEOUT_MS = 1000

/** Without a model KoboldCPP answers 200, an empty text and, by version, "length" or "error". */
function refuseEmpty(answer: RawAnswer, { place, mayHitStop, request }: AnswerContext): void {
  const { text, rawFinishReason, usage, toolCalls, reasoning, model } = answer
  if (model === 'inactive') throw new BackendError('no_model', `${at(place)} has no model loaded.`)
  if (rawFinishReason === 'error' && text === '') {
    throw new BackendError('no_model', `${at(place)} reports that the generation failed; is a model loaded?`)
  }
  refuseUnfinished(answer, place, request.parameters.max_tokens)
  if (text !== '' || toolCalls?.length || reasoning) return
  if (usage ? usage.completion_tokens === 0 : rawFinishReason === 'length' && !mayHitStop) {
    throw new BackendError('no_model', `${at(place)} answered without a token; is a model loaded?`)
  }
}

/** The end of a generation from a plain reply; throws a `BackendError` for every other one. */
export async function readReply(
  answered: AnswerContext,
  { response, text }: WholeReply,
): Promise<GenerationEnd> {
  const { place, context, endpoint, request } = answered
  if (!response.ok) {
    const { status, headers } = response
    if (isAway(context.router, status)) throw awayError(place, status)
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  const reply = parseReply(place, text)
  const answer = isErrorFrame(reply) ? undefined : endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(place, reply)
  return finishAnswer(asAsked(answer, request), answered, true)
}

interface BodyOptions {
  readonly template: TranscriptTemplate
  readonly stream: boolean
  /** Sent where the request names no model. */
  readonly model?: string
  /** The schema of the request as a grammar, where the server has made one. */
  readonly schemaGrammar?: string | undefined
}

/** The body for `/v1/chat/completions`. */
function chatBody(request: GenerationRequest, options: BodyOptions): RequestBody {
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
function textBody(request: GenerationRequest, options: BodyOptions): RequestBody {
  const { text, stop } = writeTranscript(request.turns, options.template)
  return {
    ...openAiFields(request, options),
    prompt: text,
    ...stopFields('stop', request.parameters.stop, stop),
    ...grammarField(request.parameters, options),
  }
}

/** The body for `/api/v1/generate` and its stream. */
function nativeBody(request: GenerationRequest, options: BodyOptions): RequestBody {
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
