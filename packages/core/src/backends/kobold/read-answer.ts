import { BackendError, type GenerationEnd, type GenerationRequest } from '../../contract/backend.ts'
import type { FinishReason } from '../../contract/outcome.ts'
import { at, type ErrorPlace, statusError } from '../http/errors.ts'
import { endOf, refuseUnfinished } from '../http/finish-reason.ts'
import { asAsked, type RawAnswer, toEnd } from '../http/read-completion.ts'
import { isErrorFrame, notAnAnswer, parseReply, type WholeReply } from '../http/read-reply.ts'
import type { Run } from './kobold-call.ts'

export interface AnswerContext {
  readonly context: { readonly contextLength?: number | undefined }
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
  const { contextLength = Number.POSITIVE_INFINITY } = context
  const isFull =
    completion_tokens > 0 &&
    (prompt_tokens + completion_tokens >= contextLength ||
      completion_tokens >= Math.floor(LARGEST_SHARE * contextLength))
  return completion_tokens >= max_tokens || isFull ? 'length' : 'stop'
}

/** A longer `max_tokens` is shortened to this part of the context, without a word (1.115.1). */
const LARGEST_SHARE = 0.8

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
export function readReply(run: Run, { response, text }: WholeReply): GenerationEnd {
  const { place, context, endpoint, request } = run
  if (!response.ok) {
    const { status, headers } = response
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  const reply = parseReply(place, text)
  const answer = isErrorFrame(reply) ? undefined : endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(place, reply)
  return finishAnswer(asAsked(answer, request), run)
}
