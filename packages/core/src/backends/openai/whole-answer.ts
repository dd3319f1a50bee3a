import type { GenerationEnd } from '../../contract/backend.ts'
import { parseReply, readWhole } from '../http/read-reply.ts'
import type { Run } from './openai-call.ts'
import { finishAnswer, isErrorFrame, notAnAnswer } from './read-answer.ts'
import { waitFor } from './wait-for.ts'

/** The end of a generation from a plain reply with a good status. */
export async function wholeAnswer(run: Run, response: Response): Promise<GenerationEnd> {
  const { text } = await waitFor(run, readWhole(response))
  const reply = parseReply(run.place, text)
  const answer = isErrorFrame(reply) ? undefined : run.endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(run.place, reply)
  return finishAnswer(answer, run)
}
