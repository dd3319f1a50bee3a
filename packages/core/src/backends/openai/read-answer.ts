import { BackendError, type GenerationEnd, type GenerationRequest } from '../../contract/backend.ts'
import type { Usage } from '../../contract/outcome.ts'
import { endOf, refuseUnfinished } from '../http/completion-wire.ts'
import { at, type ErrorPlace } from '../http/errors.ts'
import { asAsked, type RawAnswer, toEnd } from '../http/read-completion.ts'
import { isErrorFrame, notAnAnswer, parseReply } from '../http/read-reply.ts'
import type { Run } from './openai-call.ts'

export interface AnswerContext {
  readonly place: ErrorPlace
  readonly request: GenerationRequest
}

/** Turns what came into the end of a generation; throws where an answer of 200 is none. */
export function finishAnswer(answer: RawAnswer, { place }: AnswerContext): GenerationEnd {
  const { text, rawFinishReason, toolCalls, reasoning } = answer
  refuseUnfinished(answer, place)
  const empty = text === '' && !toolCalls?.length && !reasoning
  if (empty && (answer.usage?.completion_tokens === 0 || rawFinishReason === null)) {
    throw new BackendError('wrong_shape', `${at(place)} answered without a token; is a model loaded?`)
  }
  return toEnd({ ...answer, usage: realUsage(answer) }, endOf(answer))
}

/** Servers that do not count say 0 for a text that is there. */
function realUsage({ text, usage }: RawAnswer): Usage | undefined {
  return usage && text !== '' && usage.completion_tokens === 0 ? undefined : usage
}

/** The end of a generation from the text of a plain reply with a good status. */
export function readReply(run: Run, text: string): GenerationEnd {
  const reply = parseReply(run.place, text)
  const answer = isErrorFrame(reply) ? undefined : run.endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(run.place, reply)
  return finishAnswer(asAsked(answer, run.request), run)
}
