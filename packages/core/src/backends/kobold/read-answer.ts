import { BackendError, type GenerationEnd, type GenerationRequest } from '../../contract/backend.ts'
import type { FinishReason, Usage } from '../../contract/outcome.ts'
import { type RawAnswer, toEnd } from '../http/answer.ts'
import { at, type ErrorPlace } from '../http/errors.ts'

export interface AnswerContext {
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

/** Real counts only: 1.76 says 100, 100 and 200 to everybody, under an id that never changes. */
export function realUsage(usage: Usage | undefined, id: string | undefined): Usage | undefined {
  if (!usage) return undefined
  const { prompt_tokens, completion_tokens } = usage
  const constant = prompt_tokens === 100 && completion_tokens === 100 && /^(chatcmpl|cmpl)-A1$/.test(id ?? '')
  return constant ? undefined : usage
}

/**
 * KoboldCPP says "length" for the limit, a stop string and an abort alike. With a real count, `length` is what
 * reached the limit. Without one it is believed only where no stop string can have ended the text and the text is
 * long enough: a token is at least one byte. Else `stop`; the raw reason is kept beside it.
 */
function finishReason(answer: RawAnswer, { request, mayHitStop }: AnswerContext): FinishReason {
  if (answer.toolCalls?.length) return 'tool_calls'
  if (answer.rawFinishReason !== 'length') return 'stop'
  const { max_tokens } = request.parameters
  if (answer.usage) return answer.usage.completion_tokens >= max_tokens ? 'length' : 'stop'
  return !mayHitStop && Buffer.byteLength(answer.text) >= max_tokens ? 'length' : 'stop'
}

/** Without a model KoboldCPP answers 200, an empty text and, by version, "length" or "error". */
function refuseEmpty(answer: RawAnswer, { place, mayHitStop }: AnswerContext): void {
  const { text, rawFinishReason, usage, toolCalls, reasoning, model } = answer
  if (model === 'inactive') throw new BackendError('no_model', `${at(place)} has no model loaded.`)
  if (rawFinishReason === 'error') {
    const kind = text === '' ? 'no_model' : 'wrong_shape'
    throw new BackendError(kind, `${at(place)} reports that the generation failed; is a model loaded?`)
  }
  if (text !== '' || toolCalls?.length || reasoning) return
  if (usage ? usage.completion_tokens === 0 : rawFinishReason === 'length' && !mayHitStop) {
    throw new BackendError('no_model', `${at(place)} answered without a token; is a model loaded?`)
  }
}
