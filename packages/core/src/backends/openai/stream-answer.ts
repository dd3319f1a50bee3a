import { BackendError, type GenerationEvent } from '../../contract/backend.ts'
import { stoppedError } from '../http/errors.ts'
import { responseChunks } from '../http/pool-response.ts'
import type { Chunk } from '../http/read-completion.ts'
import { collectAnswer } from '../http/read-completion.ts'
import { cutError, parseReply, readEventStream, readParts, streamError } from '../http/read-reply.ts'
import type { Run } from './openai-call.ts'
import { interruptError } from './openai-call.ts'
import { finishAnswer, isErrorFrame, notAnAnswer, wholeAnswer } from './read-answer.ts'

/** A generation whose text is handed on as it comes. */
export async function* streamAnswer(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  const chunks = isJson ? null : responseChunks(response)
  if (chunks) yield* answerInParts(run, chunks)
  else yield* answerAtOnce(run, response)
}

/** A server that does not stream answers in one piece. */
async function* answerAtOnce(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const end = await wholeAnswer(run, response)
  const { text, reasoning } = end
  if (text || reasoning) yield { type: 'delta', text, ...(reasoning && { reasoning }) }
  yield end
}

async function* answerInParts(run: Run, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<GenerationEvent> {
  const { guard, place, call, context } = run
  const collected = collectAnswer()
  const events = readEventStream(chunks)
  const options = { events, guard, collected, endMark: true }
  try {
    const end = yield* readParts({ ...options, read: (data) => readChunk(run, data) })
    if (end.as === 'cut') throw cutError(place)
    if (end.as === 'error') throw streamError(place, end.error, call.sent())
    if (end.as === 'interrupt') throw interruptError(run, end.interrupt)
    call.letEnd(events, context.clock)
    yield finishAnswer(collected.answer(), run)
  } catch (error) {
    if (!(error instanceof BackendError)) throw error
    throw stoppedError(error, error.stopped, collected.answer().text)
  }
}

function readChunk({ place, endpoint }: Run, data: string): Chunk {
  const value = parseReply(place, data)
  const chunk = isErrorFrame(value) ? undefined : endpoint.readChunk(value)
  if (!chunk) throw notAnAnswer(place, value)
  return chunk
}
