import type { GenerationEnd } from '../../contract/backend.ts'
import { statusError } from '../http/errors.ts'
import { parseReply, type WholeReply, wrongShape } from '../http/read-reply.ts'
import type { Run } from './kobold-call.ts'
import { finishAnswer } from './read-answer.ts'

/** The end of a generation from a plain reply; throws a `BackendError` for every other one. */
export function readReply(run: Run, { response, text }: WholeReply): GenerationEnd {
  const { place, context, endpoint } = run
  if (!response.ok) {
    const { status, headers } = response
    throw statusError(place, { status, headers, text, wallTimeMs: context.clock.wallTime() })
  }
  const reply = parseReply(place, text)
  const answer = endpoint.readReply(reply)
  if (!answer) throw wrongShape(place, reply)
  return finishAnswer(answer, run)
}
