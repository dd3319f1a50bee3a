import { BackendError, type GenerationEnd, type GenerationRequest } from '../../contract/backend.ts'
import type { FinishReason, Usage } from '../../contract/outcome.ts'
import { at, type ErrorPlace, errorDetail, reasonOf } from '../http/errors.ts'
import { type RawAnswer, toEnd } from '../http/read-completion.ts'
import { parseReply, readWhole, wrongShape } from '../http/read-reply.ts'
import { type Run, waitFor } from './openai-call.ts'

export interface AnswerContext {
  readonly place: ErrorPlace
  readonly request: GenerationRequest
}

/** Turns what came into the end of a generation; throws where an answer of 200 is none. */
export function finishAnswer(answer: RawAnswer, { place, request }: AnswerContext): GenerationEnd {
  const { text, rawFinishReason, toolCalls, reasoning } = answer
  if (rawFinishReason === 'error') {
    throw new BackendError('wrong_shape', `${at(place)} reports that the generation failed.`)
  }
  const empty = text === '' && !toolCalls?.length && !reasoning
  if (empty && (answer.usage?.completion_tokens === 0 || rawFinishReason === null)) {
    throw new BackendError('wrong_shape', `${at(place)} answered without a token; is a model loaded?`)
  }
  const usage = realUsage(answer)
  return toEnd({ ...answer, usage }, finishReason({ ...answer, usage }, request))
}

/** Servers that do not count say 0 for a text that is there. */
function realUsage({ text, usage }: RawAnswer): Usage | undefined {
  return usage && text !== '' && usage.completion_tokens === 0 ? undefined : usage
}

/**
 * `length` only where the limit that was sent was reached: llama.cpp says it of a full context, too. Without a count
 * the server is believed. The raw reason is kept beside it.
 */
function finishReason(answer: RawAnswer, { parameters }: GenerationRequest): FinishReason {
  if (answer.toolCalls?.length) return 'tool_calls'
  if (answer.rawFinishReason !== 'length') return 'stop'
  const { usage } = answer
  return usage === undefined || usage.completion_tokens >= parameters.max_tokens ? 'length' : 'stop'
}

/** What is no answer: an error with status 200, as servers send it once their head is out. */
export function notAnAnswer(place: ErrorPlace, value: unknown): BackendError {
  const error = wrongShape(place, value)
  if (!isErrorFrame(value)) return error
  const reason = reasonOf(errorDetail(value))
  return new BackendError('wrong_shape', error.message, { ...(reason && { reason }) })
}

/** `{error: …}` nearly everywhere; older vLLM says `{object: "error", …}`. */
export function isErrorFrame(value: unknown): value is { [name: string]: unknown } {
  if (typeof value !== 'object' || value === null) return false
  if ('error' in value && value.error !== null && value.error !== undefined) return true
  return 'object' in value && value.object === 'error'
}

/** The end of a generation from a plain reply with a good status. */
export async function wholeAnswer(run: Run, response: Response): Promise<GenerationEnd> {
  const { text } = await waitFor(run, readWhole(response))
  const reply = parseReply(run.place, text)
  const answer = isErrorFrame(reply) ? undefined : run.endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(run.place, reply)
  return finishAnswer(answer, run)
}
