import * as v from 'valibot'
import {
  BackendError,
  type Endpoint,
  type GenerationEnd,
  type GenerationRequest,
} from '../../contract/backend.ts'
import type { Clock } from '../../contract/clock.ts'
import type { FinishReason, Usage } from '../../contract/outcome.ts'
import { at, type ErrorPlace, statusError } from '../http/errors.ts'
import { endOf, refuseUnfinished } from '../http/finish-reason.ts'
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
import type { RequestBody } from '../http/request-body.ts'
import { type BodyOptions, chatBody, nativeBody, textBody } from './request-body.ts'
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

function withRealUsage(answer: (RawAnswer & { id?: string | undefined }) | undefined): RawAnswer | undefined {
  return answer && { ...answer, usage: realUsage(answer.usage, answer.id) }
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
  readonly context: { readonly contextLength?: number | undefined; readonly clock: Clock }
  readonly endpoint: KoboldEndpoint
  readonly place: ErrorPlace
  readonly request: GenerationRequest
  /** A stop string may have ended the text: the caller's, the transcript's, or those a chat endpoint adds. */
  readonly mayHitStop: boolean
}

/** Turns what came into the end of a generation; throws where an answer of 200 is none. */
export function finishAnswer(answer: RawAnswer, context: AnswerContext): GenerationEnd {
  refuseEmpty(answer, context)
  return toEnd(answer, finishReason(answer, context))
}

/**
 * KoboldCPP says "length" for the limit, a stop string and an abort alike. With a real count, `length` is what
 * reached the limit or filled the context. Without one it is believed only where no stop string can have ended the text
 * and the text is long enough: a token is at least one byte. Else `stop`; the raw reason is kept beside it.
 */
function finishReason(answer: RawAnswer, { request, mayHitStop, context }: AnswerContext): FinishReason {
  const reason = endOf(answer)
  if (reason !== 'length') return reason
  const { max_tokens } = request.parameters
  const { usage, text } = answer
  if (!usage) return !mayHitStop && Buffer.byteLength(text) >= max_tokens ? 'length' : 'stop'
  const { prompt_tokens, completion_tokens } = usage
  const isFull =
    completion_tokens > 0 &&
    prompt_tokens + completion_tokens >= (context.contextLength ?? Number.POSITIVE_INFINITY)
  return completion_tokens >= max_tokens || isFull ? 'length' : 'stop'
}

/** Without a model KoboldCPP answers 200, an empty text and, by version, "length" or "error". */
function refuseEmpty(answer: RawAnswer, { place, mayHitStop }: AnswerContext): void {
  const { text, rawFinishReason, usage, toolCalls, reasoning, model } = answer
  if (model === 'inactive') throw new BackendError('no_model', `${at(place)} has no model loaded.`)
  if (rawFinishReason === 'error' && text === '') {
    throw new BackendError('no_model', `${at(place)} reports that the generation failed; is a model loaded?`)
  }
  refuseUnfinished(answer, place)
  if (text !== '' || toolCalls?.length || reasoning) return
  if (usage ? usage.completion_tokens === 0 : rawFinishReason === 'length' && !mayHitStop) {
    throw new BackendError('no_model', `${at(place)} answered without a token; is a model loaded?`)
  }
}

/** The end of a generation from a plain reply; throws a `BackendError` for every other one. */
export function readReply(answered: AnswerContext, { response, text }: WholeReply): GenerationEnd {
  const { place, context, endpoint, request } = answered
  if (!response.ok) {
    const { status, headers } = response
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  const reply = parseReply(place, text)
  const answer = isErrorFrame(reply) ? undefined : endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(place, reply)
  return finishAnswer(asAsked(answer, request), answered)
}
