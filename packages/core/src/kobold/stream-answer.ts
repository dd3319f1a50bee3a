import { BackendError, type GenerationEvent } from '../backend.ts'
import { at, connectionError } from '../http/errors.ts'
import { EventTooLongError, readEventStream } from '../http/event-stream.ts'
import { responseChunks } from '../http/pool-response.ts'
import { finishAnswer } from './answer.ts'
import { type Collector, collectAnswer } from './collect-answer.ts'
import type { Chunk } from './endpoints.ts'
import { breakOff, giveUp, stop, stoppedError } from './give-up.ts'
import { parseReply, readReply, readWhole, wrongShape } from './read-whole.ts'
import type { Run } from './run.ts'

/** After the finish reason, usage and `[DONE]` follow at once or not at all. */
const END_MARK_MS = 1000

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
  const { guard, call } = run
  const collected = collectAnswer()
  const partial = () => collected.answer().text
  let open = true
  try {
    for (;;) {
      const next = events.next()
      const step = await guard.wait(next)
      const whole = collected.finished()
      if (step.as !== 'value') {
        if (whole && (step.as === 'error' || step.interrupt === 'finished')) break
        open = false
        if (step.as === 'error') throw await breakOff(run, streamError(run, step.error), partial)
        throw await giveUp(run, step, { rest: drain(run, next, events, collected), partial })
      }
      if (step.value.done) {
        if (whole) break
        open = false
        throw await breakOff(run, interrupted(run), partial)
      }
      guard.touch()
      if (step.value.value === '[DONE]') break
      const chunk = readChunk(run, step.value.value)
      collected.add(chunk)
      if (chunk.text || chunk.reasoning) {
        guard.limitPauses()
        guard.pause()
        yield { type: 'delta', text: chunk.text, ...(chunk.reasoning && { reasoning: chunk.reasoning }) }
        guard.touch()
      }
      if (chunk.rawFinishReason === null) continue
      if (!run.endpoint.endMark) break
      guard.finishWithin(END_MARK_MS)
    }
    open = false
    call.hangUp()
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
  run: Run,
  next: Promise<IteratorResult<string>>,
  events: AsyncGenerator<string>,
  collected: Collector,
): Promise<void> {
  for (let step = await next; !step.done; step = await events.next()) {
    try {
      collected.add(readChunk(run, step.value))
    } catch {
      // `[DONE]`, or what was the reason to stop.
    }
  }
}

function readChunk({ place, endpoint }: Run, data: string): Chunk {
  const value = parseReply(place, data)
  const chunk = endpoint.readChunk(value)
  if (!chunk) throw wrongShape(place, value)
  return chunk
}

const interrupted = ({ place }: Run): BackendError =>
  new BackendError('interrupted', `${at(place)} ended its stream before the answer was whole.`)

function streamError({ place, call }: Run, error: unknown): BackendError {
  if (error instanceof EventTooLongError) {
    return new BackendError('wrong_shape', `${at(place)} sent a line longer than a megabyte.`)
  }
  const { kind, cause } = connectionError(place, error, call.sent())
  return kind === 'disconnected' ? interruptedBy(place, cause) : connectionError(place, error, true)
}

const interruptedBy = (place: Run['place'], cause: unknown): BackendError =>
  new BackendError('interrupted', `${at(place)} broke its stream off before the answer was whole.`, { cause })
