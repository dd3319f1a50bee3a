import { BackendError, type GenerationEnd, type GenerationEvent } from '../../contract/backend.ts'
import { stoppedError } from '../http/errors.ts'
import { responseChunks } from '../http/pool-response.ts'
import { collectAnswer } from '../http/read-completion.ts'
import { cutError, readPart, readParts, streamError } from '../http/read-parts.ts'
import { readEventStream } from '../http/read-reply.ts'
import type { Run } from './openai-call.ts'
import { interruptError } from './openai-call.ts'
import { finishAnswer, readReply, wholeAnswer } from './read-answer.ts'

/** A generation whose text is handed on as it comes. */
export async function* streamAnswer(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const chunks = responseChunks(response)
  if (chunks) yield* answerInParts(run, chunks, response.headers.get('content-type'))
  else yield* answerAtOnce(await wholeAnswer(run, response))
}

/** A server that does not stream answers in one piece. */
function* answerAtOnce(end: GenerationEnd): Generator<GenerationEvent> {
  const { text, reasoning } = end
  if (text || reasoning) yield { type: 'delta', text, ...(reasoning && { reasoning }) }
  yield end
}

async function* answerInParts(
  run: Run,
  chunks: AsyncIterable<Uint8Array>,
  contentType: string | null,
): AsyncGenerator<GenerationEvent> {
  const { guard, place, call, context, endpoint, request } = run
  const collected = collectAnswer(request)
  const events = readEventStream(chunks, contentType)
  const options = { events, guard, collected, endMark: true }
  try {
    const end = yield* readParts({
      ...options,
      read: (event) => readPart(place, event, endpoint.readChunk),
    })
    if (end.as === 'body') return yield* answerAtOnce(readReply(run, end.text))
    if (end.as === 'cut') throw end.error ?? cutError(place)
    if (end.as === 'error') throw streamError(place, end.error, call.sent())
    if (end.as === 'interrupt') throw interruptError(run, end.interrupt)
    call.letEnd(events, context.clock)
    yield finishAnswer(collected.answer(), run)
  } catch (error) {
    if (!(error instanceof BackendError)) throw error
    throw stoppedError(error, error.stopped, collected.answer().text || error.partial)
  }
}
