import {
  BackendError,
  type GenerationEnd,
  type GenerationEvent,
  type GenerationRequest,
} from '../../contract/backend.ts'
import type { Usage } from '../../contract/outcome.ts'
import { endOf, refuseUnfinished } from '../http/completion-wire.ts'
import { at, type ErrorPlace, stoppedError } from '../http/errors.ts'
import { contentTypeOf, responseChunks } from '../http/pool-response.ts'
import { asAsked, collectAnswer, type RawAnswer, toEnd } from '../http/read-completion.ts'
import { cutError, endIn, readPart, readParts, streamError } from '../http/read-parts.ts'
import {
  inOneChunk,
  isErrorFrame,
  isStreamText,
  isStreamType,
  notAnAnswer,
  parseReply,
  readEventStream,
  readWhole,
} from '../http/read-reply.ts'
import { interruptError, type Run, waitFor } from './openai-call.ts'

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
    throw stoppedError(error, error, collected.answer().text || error.partial)
  }
}

interface AnswerContext {
  readonly place: ErrorPlace
  readonly request: GenerationRequest
}

/** Turns what came into the end of a generation; throws where an answer of 200 is none. */
function finishAnswer(answer: RawAnswer, { place, request }: AnswerContext): GenerationEnd {
  const { text, rawFinishReason, toolCalls, reasoning } = answer
  const limit = request.isOpenEnded ? undefined : request.parameters.max_tokens
  refuseUnfinished(answer, place, limit)
  const empty = text === '' && !toolCalls?.length && !reasoning
  if (empty && (answer.usage?.completion_tokens === 0 || rawFinishReason === null)) {
    throw new BackendError('wrong_shape', `${at(place)} answered without a token; is a model loaded?`)
  }
  return toEnd({ ...answer, usage: realUsage(answer) }, endOf(answer, limit))
}

/** Servers that do not count say 0 for a text that is there. */
function realUsage({ text, usage }: RawAnswer): Usage | undefined {
  return usage && text !== '' && usage.completion_tokens === 0 ? undefined : usage
}

/** The end of a generation from the text of a plain reply with a good status. */
function readReply(run: Run, text: string): GenerationEnd {
  const reply = parseReply(run.place, text)
  const answer = isErrorFrame(reply) ? undefined : run.endpoint.readReply(reply)
  if (!answer) throw notAnAnswer(run.place, reply)
  return finishAnswer(asAsked(answer, run.request), run)
}
