import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import type {
  Backend,
  Endpoint,
  GenerationEnd,
  GenerationEvent,
  GenerationRequest,
} from '../contract/backend.ts'
import { ABORTED, untilAborted, untilSignal } from '../contract/clock.ts'
import type { AnnouncedCall, Delta } from '../contract/dispatcher.ts'
import type { Failure } from '../contract/failure.ts'
import { writes } from '../contract/logger.ts'
import type { AttemptRecord } from '../contract/outcome.ts'
import { type CallFailure, endedBecause, type Run } from '../event/run.ts'
import { classify, foundByDesk } from './classify.ts'
import type { Collector } from './collect-text.ts'
import { holdAgainst, type MatchingAnswer } from './match-answer.ts'
import { type AttemptContext, type Cursor, endpointOf, toRequest } from './position.ts'

export type Called =
  | Exclude<CallResult, { type: 'failed' | 'answered' }>
  | { readonly type: 'answered'; readonly end: GenerationEnd; readonly matching?: MatchingAnswer }
  | { readonly type: 'failed'; readonly failure: CallFailure }

/** One call of one endpoint, and its record in the story of the event. */
export async function callOnce(
  run: Run,
  context: AttemptContext,
  at: { cursor: Cursor; text: Collector },
): Promise<Called> {
  const { cursor, text } = at
  const { clock } = context
  // The event may have ended between the grant of its slot and now.
  if (run.control.signal.aborted) return { type: 'aborted', settled: Promise.resolve() }
  const endpoint = endpointOf(cursor)
  const request = toRequest(run, context, cursor)
  if (run.beforeCall) {
    await announce(run, { backend: cursor.lease.backend.name, endpoint: endpoint.name, key: request.key })
    if (run.control.signal.aborted) return { type: 'aborted', settled: Promise.resolve() }
  }
  cursor.calls += 1
  cursor.lease.countCall()
  const startedAt = clock.now()
  const record: AttemptRecord = {
    backend: cursor.lease.backend.name,
    endpoint: endpoint.name,
    number: cursor.calls,
    started_at: new Date(clock.wallTime()).toISOString(),
    duration_ms: 0,
    waited_ms: Math.round(cursor.waitedMs),
    result: 'completed',
  }
  run.attempts.push(record)
  text.startCall(() => {
    record.first_token_ms ??= Math.round(clock.now() - startedAt)
  })
  const { backend } = cursor.lease
  const stream = run.sink !== undefined
  const trace = run.trace?.startAttempt({ backend, endpoint, request, number: record.number, stream })
  const result = await callEndpoint({
    backend,
    endpoint,
    request: trace ? { ...request, headers: trace.headers } : request,
    signal: run.control.signal,
    onDelta: text.onDelta,
  })
  if (run.answerSchema) text.endCall()
  const plain = toCalled(result, request)
  const called = run.answerSchema ? await checkSchema(run, plain, run.answerSchema) : plain
  record.duration_ms = Math.round(clock.now() - startedAt)
  describeCall(record, called, run)
  trace?.end(record, called.type === 'answered' ? called.end : undefined)
  context.observer?.attemptEnded(record)
  if (writes(context.logger, 'debug')) {
    context.logger.debug('attempt ended', { ...run.logFields, event_id: run.id, ...record })
  }
  return called
}

/** Not known to be written down, the call could not be stopped after a crash: it is not sent. */
async function announce(run: Run, call: AnnouncedCall): Promise<void> {
  try {
    await untilAborted(Promise.resolve(run.beforeCall?.(call)), run.control.signal)
  } catch {
    run.control.abort(NOT_ANNOUNCED)
  }
}

const NOT_ANNOUNCED: Failure = {
  code: 'store_unavailable',
  details: 'The call could not be written down before it was to be sent; see the log of the store.',
}

function toCalled(result: CallResult, request: GenerationRequest): Called {
  if (result.type === 'failed') return { type: 'failed', failure: classify(result.error) }
  if (result.type === 'answered' && isEmpty(result.end, request)) {
    return { type: 'failed', failure: EMPTY_ANSWER }
  }
  return result
}

/** An answer that calls tools is none to the schema yet. */
async function checkSchema(run: Run, called: Called, answerSchema: AnswerSchema): Promise<Called> {
  if (called.type !== 'answered' || called.end.tool_calls?.length) return called
  const held = await untilAborted(holdAgainst(answerSchema, called.end), run.control.signal)
  if (held === ABORTED) return { type: 'aborted', settled: Promise.resolve() }
  return 'ok' in held ? { ...called, matching: held } : { type: 'failed', failure: held }
}

/**
 * How a server without a model answers: 200, no text, no tokens. Where the server does not count, a stop string that
 * was asked for may have been the first word.
 */
function isEmpty(end: GenerationEnd, { parameters }: GenerationRequest): boolean {
  const { text, tool_calls, reasoning, usage, raw_finish_reason } = end
  if (text !== '' || reasoning || (tool_calls && tool_calls.length > 0)) return false
  if (usage) return usage.completion_tokens === 0
  return raw_finish_reason !== 'stop' && !parameters.stop?.length
}

const EMPTY_ANSWER = foundByDesk({
  code: 'api_response_structure_error',
  details: 'The backend answered with an empty text and no tokens; is a model loaded?',
})

function describeCall(record: AttemptRecord, called: Called, run: Run): void {
  if (called.type === 'answered') record.raw_finish_reason = called.end.raw_finish_reason
  else if (called.type === 'aborted') record.result = endedBecause(run).code
  else {
    const { code, details, endpointMissing, status, stopped } = called.failure
    record.result = endpointMissing ? 'endpoint_missing' : code
    record.details = details
    if (status !== undefined) record.status = status
    if (stopped !== undefined) record.stopped = stopped
  }
}

export interface Call {
  readonly backend: Backend
  readonly endpoint: Endpoint
  readonly request: GenerationRequest
  readonly signal: AbortSignal
  /** Present: the caller wants deltas. The next one is asked for when the promise has resolved. */
  readonly onDelta?: ((delta: Delta) => Promise<void> | undefined) | undefined
}

export type CallResult =
  | { readonly type: 'answered'; readonly end: GenerationEnd }
  | { readonly type: 'failed'; readonly error: unknown }
  /** The signal was aborted. The backend may still be stopping; `settled` resolves when it has. */
  | { readonly type: 'aborted'; readonly settled: Promise<void> }

/** Calls one endpoint once. Returns as soon as the signal is aborted, even where the backend takes longer to stop. */
export async function callEndpoint({
  backend,
  endpoint,
  request,
  signal,
  onDelta,
}: Call): Promise<CallResult> {
  const stream = onDelta !== undefined
  const events = backend.generate(endpoint, request, { signal, stream })[Symbol.asyncIterator]()
  const patience = untilSignal(signal)
  let end: GenerationEnd | undefined
  try {
    for (;;) {
      const pending = events.next()
      const step = await patience.wait(pending)
      if (step === ABORTED) return { type: 'aborted', settled: settle(events, pending) }
      if (step.done) break
      if (step.value.type === 'end') end = step.value
      else if (onDelta) {
        const taken = onDelta(step.value)
        if (taken && (await patience.wait(taken)) === ABORTED) {
          return { type: 'aborted', settled: settle(events) }
        }
      }
    }
  } catch (error) {
    return signal.aborted ? { type: 'aborted', settled: Promise.resolve() } : { type: 'failed', error }
  } finally {
    patience.end()
  }
  if (end) return { type: 'answered', end }
  if (signal.aborted) return { type: 'aborted', settled: Promise.resolve() }
  return { type: 'failed', error: new Error('generate ended without an end event') }
}

/** Reads an aborted generation to its end, whatever that is: the slot is taken until then. */
async function settle(
  events: AsyncIterator<GenerationEvent>,
  pending?: Promise<IteratorResult<GenerationEvent>>,
): Promise<void> {
  try {
    let step = await (pending ?? events.next())
    while (!step.done) step = await events.next()
  } catch {
    // How an aborted call ends is its backend's affair; that it has ended is what counts.
  }
}
