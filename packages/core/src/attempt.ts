import type { Endpoint, GenerationEnd, GenerationRequest } from './backend.ts'
import { backoffMs } from './backoff.ts'
import { type CallResult, callEndpoint, type Delta } from './call-endpoint.ts'
import { canCarry } from './can-carry.ts'
import { type CallFailure, classify, foundByDesk } from './classify.ts'
import { sleep } from './clock.ts'
import { createId } from './create-id.ts'
import type { Desk, Seat } from './desk.ts'
import { failure, type Result, success } from './failure.ts'
import { nextStep, type Position, type Step } from './next-step.ts'
import type { ResolvedOptions } from './options.ts'
import type { AttemptRecord } from './outcome.ts'
import type { Answer } from './respond.ts'
import { endedBecause, type Run, type RunFailure } from './run.ts'
import type { CallSample } from './station.ts'

export interface AttemptContext extends ResolvedOptions {
  readonly desk: Desk
}

/** Where the loop stands: one slot of one backend, one of its endpoints, so many calls. */
interface Cursor {
  readonly seat: Seat
  readonly endpoints: readonly Endpoint[]
  endpointIndex: number
  calls: number
  waitedMs: number
}

/** The one loop over backends, endpoints and repeats. `nextStep` decides, this acts. */
export async function attempt(run: Run, context: AttemptContext): Promise<Result<Answer, RunFailure>> {
  const tried = new Set<string>()
  const text = collectText(run)
  let cursor: Cursor | undefined
  let verdict: CallFailure | undefined
  let isReturning = false
  for (;;) {
    if (!cursor) {
      const seat = await context.desk.takeSeat(run, { tried, isReturning })
      if (!seat.ok) return failure(withPartial(seat.failure, verdict))
      cursor = openCursor(seat.value, run)
    }
    const { seat } = cursor
    const called = await callOnce(run, context, { cursor, text })
    if (called.type === 'aborted') {
      seat.leave({ type: 'aborted', settled: called.settled })
      return failure({ ...endedBecause(run), partial: text.value() })
    }
    if (called.type === 'answered') {
      seat.leave({ type: 'answered', sample: sampleOf(run, called.end) })
      return success({ end: called.end, backend: seat.backend.name, endpoint: endpointOf(cursor).name })
    }
    const failed = called.failure
    if (!failed.endpointMissing) verdict = failed
    seat.failed(failed)
    const step = nextStep(
      failed,
      positionOf(run, context, { cursor, failed, tried, handedOn: text.isHandedOn() }),
    )
    if (step.type === 'repeat' || step.type === 'next_endpoint') {
      if (await movedOn(run, context, cursor, step)) continue
      seat.leave({ type: 'failed', failure: failed })
      return failure(endedBecause(run))
    }
    seat.leave({ type: 'failed', failure: failed })
    if (step.type === 'stop') return failure(withPartial(verdict ?? failed, failed, text.value()))
    if (step.type === 'next_backend') tried.add(seat.backend.name)
    isReturning = true
    cursor = undefined
  }
}

function openCursor(seat: Seat, run: Run): Cursor {
  const endpoints = seat.backend.endpoints.filter((endpoint) => canCarry(endpoint, run.prompt))
  return { seat, endpoints, endpointIndex: 0, calls: 0, waitedMs: 0 }
}

function endpointOf({ endpoints, endpointIndex, seat }: Cursor): Endpoint {
  const endpoint = endpoints[endpointIndex]
  if (!endpoint) throw new Error(`no endpoint ${endpointIndex} of ${seat.backend.name}`)
  return endpoint
}

/** Pauses, or goes to the next endpoint. False when the run was ended meanwhile. */
async function movedOn(
  run: Run,
  context: AttemptContext,
  cursor: Cursor,
  step: Extract<Step, { type: 'repeat' | 'next_endpoint' }>,
): Promise<boolean> {
  if (step.type === 'next_endpoint') {
    cursor.endpointIndex += 1
    cursor.calls = 0
    cursor.waitedMs = 0
    return !run.control.signal.aborted
  }
  cursor.seat.countRepeat()
  cursor.waitedMs = step.afterMs
  return sleep(context.clock, step.afterMs, run.control.signal).then(
    () => true,
    () => false,
  )
}

function positionOf(
  run: Run,
  context: AttemptContext,
  at: { cursor: Cursor; failed: CallFailure; tried: Set<string>; handedOn: boolean },
): Position {
  const { cursor, failed, tried } = at
  const others = context.desk.others(run, new Set([...tried, cursor.seat.backend.name]))
  return {
    calls: cursor.calls,
    maxCalls: context.tuning.attempts,
    hasNextEndpoint: cursor.endpointIndex + 1 < cursor.endpoints.length,
    hasOtherBackend: others.exist,
    otherIsReady: others.ready,
    isLoading: failed.stopped === 'not_sent' && cursor.seat.isLoading(),
    handedOn: at.handedOn,
    timeLeftMs: run.deadlineAt - context.clock.now(),
    backoffMs: backoffMs(
      { repeat: cursor.calls, random: context.random() },
      { baseMs: context.tuning.backoffBaseMs, capMs: context.tuning.backoffCapMs },
    ),
    mayRepeat: cursor.seat.mayRepeat(),
  }
}

type Called = Exclude<CallResult, { type: 'failed' }> | { type: 'failed'; failure: CallFailure }

async function callOnce(
  run: Run,
  context: AttemptContext,
  at: { cursor: Cursor; text: Collector },
): Promise<Called> {
  const { cursor, text } = at
  const { clock } = context
  // The event may have ended between the grant of its slot and now.
  if (run.control.signal.aborted) return { type: 'aborted', settled: Promise.resolve() }
  const endpoint = endpointOf(cursor)
  cursor.calls += 1
  cursor.seat.countCall()
  const startedAt = clock.now()
  const record: AttemptRecord = {
    backend: cursor.seat.backend.name,
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
  const result = await callEndpoint({
    backend: cursor.seat.backend,
    endpoint,
    request: toRequest(run, context, cursor.seat),
    signal: run.control.signal,
    onDelta: text.onDelta,
  })
  const called = toCalled(result)
  record.duration_ms = Math.round(clock.now() - startedAt)
  describeCall(record, called, run)
  context.logger.debug('attempt ended', { ...run.logFields, event_id: run.id, ...record })
  return called
}

function toRequest(run: Run, { clock, random, tuning }: AttemptContext, seat: Seat): GenerationRequest {
  const { maxTokens, temperature, topP } = tuning
  const model = seat.modelFor(run.model)
  return {
    key: `gen_${createId(clock.wallTime(), random)}`,
    turns: run.prompt.turns,
    parameters: { max_tokens: maxTokens, temperature, top_p: topP, ...run.prompt.parameters },
    ...(model === undefined ? {} : { model }),
    ...(run.schema ? { schema: run.schema } : {}),
    ...(run.headers ? { headers: run.headers } : {}),
  }
}

function toCalled(result: CallResult): Called {
  if (result.type === 'failed') return { type: 'failed', failure: classify(result.error) }
  if (result.type === 'answered' && isEmpty(result.end)) {
    return { type: 'failed', failure: EMPTY_ANSWER }
  }
  return result
}

function sampleOf({ attempts, work }: Run, { usage }: GenerationEnd): CallSample {
  const last = attempts.at(-1)
  return {
    usage,
    durationMs: last?.duration_ms ?? 0,
    firstTokenMs: last?.first_token_ms,
    maxTokens: work.maxTokens,
  }
}

/** How a server without a model answers: 200, no text, no tokens. */
function isEmpty({ text, tool_calls, reasoning, usage, raw_finish_reason }: GenerationEnd): boolean {
  if (text !== '' || reasoning || (tool_calls && tool_calls.length > 0)) return false
  return usage ? usage.completion_tokens === 0 : raw_finish_reason !== 'stop'
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

const withPartial = (said: RunFailure, failed: CallFailure | undefined, text?: string): RunFailure => ({
  code: said.code,
  details: said.details,
  ...(said.retryAfterMs === undefined ? {} : { retryAfterMs: said.retryAfterMs }),
  partial: text || failed?.partial,
})

interface Collector {
  readonly onDelta: ((delta: Delta) => Promise<void> | undefined) | undefined
  startCall(onFirst: () => void): void
  isHandedOn(): boolean
  value(): string | undefined
}

/** Hands deltas on and keeps the text, for the `partial` of an answer that breaks off. */
function collectText({ sink }: Run): Collector {
  let text = ''
  let isHandedOn = false
  let onFirst = () => {}
  return {
    onDelta:
      sink &&
      ((delta) => {
        onFirst()
        isHandedOn = true
        text += delta.text
        return sink.delta(delta)
      }),
    startCall(callback) {
      onFirst = callback
    },
    isHandedOn: () => isHandedOn,
    value: () => (text === '' ? undefined : text),
  }
}
