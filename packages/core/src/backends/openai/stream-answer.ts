import { BackendError, type GenerationEnd, type GenerationEvent } from '../../contract/backend.ts'
import { stoppedError } from '../http/errors.ts'
import { contentTypeOf, responseChunks } from '../http/pool-response.ts'
import { collectAnswer } from '../http/read-completion.ts'
import { cutError, endIn, readPart, readParts, streamError } from '../http/read-parts.ts'
import { inOneChunk, isStreamText, isStreamType, readEventStream, readWhole } from '../http/read-reply.ts'
import { interruptError, type Run, waitFor } from './openai-call.ts'
import { finishAnswer, readReply } from './read-answer.ts'

/** A generation whose text is handed on as it comes. */
export async function* streamAnswer(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const chunks = responseChunks(response)
  if (chunks) yield* answerInParts(run, chunks, contentTypeOf(response))
  else yield* answerAtOnce(await wholeAnswer(run, response))
}

/** The end of a generation of which nothing else counts. Some servers stream to everybody: that is read, too. */
export async function wholeAnswer(run: Run, response: Response): Promise<GenerationEnd> {
  const contentType = contentTypeOf(response)
  const chunks = isStreamType(contentType) ? responseChunks(response) : null
  if (chunks) return endIn(answerInParts(run, chunks, contentType))
  const { text } = await waitFor(run, readWhole(response))
  return isStreamText(text) ? endIn(answerInParts(run, inOneChunk(text), contentType)) : readReply(run, text)
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
