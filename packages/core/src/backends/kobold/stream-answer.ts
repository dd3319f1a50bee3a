import { BackendError, type GenerationEvent } from '../../contract/backend.ts'
import { stoppedError } from '../http/errors.ts'
import { responseChunks } from '../http/pool-response.ts'
import { type Collector, collectAnswer } from '../http/read-completion.ts'
import { cutError, readEventStream, readPart, readParts, readWhole, streamError } from '../http/read-reply.ts'
import type { Run } from './kobold-call.ts'
import { finishAnswer, readReply } from './read-answer.ts'
import { breakOff, giveUp, stop } from './stop-generation.ts'

/** A generation whose text is handed on as it comes. */
export async function* streamAnswer(run: Run): AsyncGenerator<GenerationEvent> {
  const { call, guard } = run
  const head = await guard.wait(call.response)
  if (head.as !== 'value') {
    const collected = collectAnswer()
    // The head is not the end: the call has ended only with the last event.
    const rest = call.response.then((response) => drainResponse(run, response, collected))
    throw await giveUp(run, head, { rest, partial: () => collected.answer().text })
  }
  guard.touch()
  const response = head.value
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  const chunks = response.ok && !isJson ? responseChunks(response) : null
  if (chunks) yield* answerInParts(run, readEventStream(chunks))
  else yield* answerAtOnce(run, response)
}

/** A server that does not stream answers in one piece; errors come so, too. */
async function* answerAtOnce(run: Run, response: Response): AsyncGenerator<GenerationEvent> {
  const reply = readWhole(response)
  const step = await run.guard.wait(reply)
  if (step.as !== 'value') throw await giveUp(run, step, { rest: reply, partial: () => undefined })
  const end = readReply(run, step.value)
  if (end.text) yield { type: 'delta', text: end.text }
  yield end
}

async function* answerInParts(run: Run, events: AsyncGenerator<string>): AsyncGenerator<GenerationEvent> {
  const { guard, call, place, endpoint, context } = run
  const collected = collectAnswer()
  const partial = () => collected.answer().text
  let open = true
  try {
    const read = (data: string) => readPart(place, data, endpoint.readChunk)
    const end = yield* readParts({ events, guard, collected, read, endMark: endpoint.endMark })
    open = false
    if (end.as === 'cut') throw await breakOff(run, cutError(place), partial)
    if (end.as === 'error') throw await breakOff(run, streamError(place, end.error, call.sent()), partial)
    if (end.as === 'interrupt') {
      throw await giveUp(run, end, { rest: drain(run, end.next, events, collected), partial })
    }
    call.letEnd(events, context.clock)
    yield finishAnswer(collected.answer(), run)
  } catch (error) {
    if (!open || !(error instanceof BackendError)) throw error
    open = false
    const stopped = await stop(run, drain(run, events.next(), events, collected))
    throw stoppedError(error, stopped, partial())
  } finally {
    // The reader left early: the server must not go on for nobody.
    if (open) await stop(run, drain(run, events.next(), events, collected))
    call.hangUp()
  }
}

async function drainResponse(run: Run, response: Response, collected: Collector): Promise<void> {
  const chunks = responseChunks(response)
  if (!chunks) return
  const events = readEventStream(chunks)
  await drain(run, events.next(), events, collected)
}

/** Reads on to the end of the stream, for only then its call has ended; keeps what still comes. */
async function drain(
  { place, endpoint }: Run,
  next: Promise<IteratorResult<string>>,
  events: AsyncGenerator<string>,
  collected: Collector,
): Promise<void> {
  for (let step = await next; !step.done; step = await events.next()) {
    try {
      collected.add(readPart(place, step.value, endpoint.readChunk))
    } catch {
      // `[DONE]`, or what was the reason to stop.
    }
  }
}
