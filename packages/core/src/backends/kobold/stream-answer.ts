import { BackendError, type GenerationEnd, type GenerationEvent } from '../../contract/backend.ts'
import { stoppedError } from '../http/errors.ts'
import { contentTypeOf, responseChunks } from '../http/pool-response.ts'
import { type Collector, collectAnswer } from '../http/read-completion.ts'
import { cutError, readPart, readParts, streamError, Unread } from '../http/read-parts.ts'
import { readEventStream, readWhole, type ServerEvent } from '../http/read-reply.ts'
import { finishAnswer, readReply } from './endpoints.ts'
import type { Run } from './kobold-call.ts'
import { breakOff, giveUp, stop } from './stop-generation.ts'

/** KoboldCPP writes a short answer and its finish reason into one event; only what stands before it may do so each time. */
const DOUBT_MS = 5000

/** A generation whose text is handed on as it comes. */
export async function* streamAnswer(run: Run): AsyncGenerator<GenerationEvent> {
  const { call, guard } = run
  const head = await guard.wait(call.response)
  if (head.as !== 'value') {
    const collected = collectAnswer(run.request)
    const received = () => collected.answer().text.length
    // The head is not the end: the call has ended only with the last event.
    const rest = call.response.then((response) => drainResponse(run, response, collected))
    throw await giveUp(run, head, { rest, received, partial: () => collected.answer().text })
  }
  guard.touch()
  const response = head.value
  const chunks = response.ok ? responseChunks(response) : null
  if (chunks) yield* answerInParts(run, response, chunks)
  else yield* answerAtOnce(run, response)
}

/** Errors come in one piece. */
async function* answerAtOnce(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const reply = readWhole(response)
  const step = await run.guard.wait(reply)
  if (step.as !== 'value') throw await giveUp(run, step, { rest: reply, partial: () => undefined })
  yield* inOnePiece(await readReply(run, step.value))
}

function* inOnePiece(end: GenerationEnd): Generator<GenerationEvent> {
  const { text, reasoning } = end
  if (text || reasoning) yield { type: 'delta', text, ...(reasoning && { reasoning }) }
  yield end
}

export async function* answerInParts(
  run: Run,
  response: Response,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<GenerationEvent> {
  const { guard, call, place, endpoint, context, request } = run
  const events = readEventStream(chunks, contentTypeOf(response))
  const collected = collectAnswer(request)
  const partial = () => collected.answer().text
  const received = () => collected.answer().text.length
  let open = true
  try {
    const read = (event: ServerEvent) => readPart(place, event, endpoint.readChunk)
    const end = yield* readParts({
      events,
      guard,
      collected,
      read,
      endMark: endpoint.endMark,
      doubtMs: DOUBT_MS,
    })
    open = false
    // A server that does not stream answers in one piece.
    if (end.as === 'body') return yield* inOnePiece(await readReply(run, { response, text: end.text }))
    if (end.as === 'cut') throw await breakOff(run, end.error ?? cutError(place), partial)
    if (end.as === 'error') throw await breakOff(run, streamError(place, end.error, call.sent()), partial)
    if (end.as === 'interrupt') {
      throw await giveUp(run, end, { rest: drain(run, end.next, events, collected), partial, received })
    }
    call.letEnd(events, context.clock)
    yield await finishAnswer(collected.answer(), run)
  } catch (error) {
    if (!open || !(error instanceof BackendError)) throw error
    open = false
    const end = await stop(run, { rest: drain(run, events.next(), events, collected), received })
    throw stoppedError(error, end, partial())
  } finally {
    // The reader left early: the server must not go on for nobody.
    if (open) await stop(run, { rest: drain(run, events.next(), events, collected), received })
    call.hangUp()
  }
}

export async function drainResponse(run: Run, response: Response, collected: Collector): Promise<void> {
  const chunks = responseChunks(response)
  if (!chunks) return
  const events = readEventStream(chunks, contentTypeOf(response))
  await drain(run, events.next(), events, collected)
}

/** Reads on to the end of the stream, for only then its call has ended; keeps what still comes. */
async function drain(
  { place, endpoint }: Run,
  next: Promise<IteratorResult<ServerEvent>>,
  events: AsyncGenerator<ServerEvent>,
  collected: Collector,
): Promise<void> {
  for (let step = await next; !step.done; step = await events.next()) {
    try {
      const chunk = readPart(place, step.value, endpoint.readChunk)
      if (!(chunk instanceof Unread)) collected.add(chunk)
    } catch {
      // What was the reason to stop.
    }
  }
}
