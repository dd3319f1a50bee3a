import type { AnswerSchema } from '../answer-schema/answer-schema.ts'
import {
  type Backend,
  BackendError,
  type Endpoint,
  type GenerationEnd,
  type GenerationEvent,
  type GenerationRequest,
} from '../contract/backend.ts'
import { ABORTED, type Clock, untilSignal } from '../contract/clock.ts'
import type { AnnouncedCall, Delta, EventOptions } from '../contract/dispatcher.ts'
import type { Failure } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { AttemptRecord } from '../contract/outcome.ts'
import { type CallFailure, type Cancellation, type Run, type Sink, type Stand, writes } from '../event/run.ts'
import type { Lease } from '../scheduler/lease.ts'
import { classify, foundByDesk } from './classify.ts'
import type { Conversation, Conversations, Target } from './conversation.ts'
import { holdAgainst, type Limit, type MatchingAnswer } from './match-answer.ts'

/** How a call ended, by its verdict, and its record for the story of the event. */
export type Call =
  | (Answered & { readonly record: AttemptRecord })
  | (Failed & {
      readonly record: AttemptRecord
      /** What had come of a streamed answer. */
      readonly text: string | undefined
      /** A delta has been handed on: nothing can be taken back. */
      readonly isHandedOn: boolean
    })
  /** Without a record: nothing was sent. */
  | (Aborted & { readonly record?: AttemptRecord; readonly text?: string | undefined })

export type AnsweredCall = Extract<Call, { type: 'answered' }>

interface Answered {
  readonly type: 'answered'
  readonly end: GenerationEnd
  /** Of an event with a schema. */
  readonly matching?: MatchingAnswer
}

interface Failed {
  readonly type: 'failed'
  readonly failure: CallFailure
}

/** The event has ended. `settled`: when the backend has stopped. */
interface Aborted {
  readonly type: 'aborted'
  readonly reason: Failure
  readonly settled: Promise<void>
}

type Verdict = Answered | Failed | Aborted

/** Where the loop stands at one backend: at which endpoint, and at which of its calls. A value. */
export interface Place extends Target {
  /** Those to go on to, in order of preference. */
  readonly nextEndpoints: readonly Endpoint[]
  /** Which call of this endpoint comes now, from 1. */
  readonly call: number
  /** How many of its calls asked for a corrected answer, this one included. */
  readonly repairs: number
  /** The pause before the call, in milliseconds. */
  readonly pauseMs: number
}

/** Where the loop stands: under which lease, at which place, and with what to send from there. */
export interface Visit {
  readonly lease: Lease
  readonly place: Place
  readonly conversations: Conversations
  readonly conversation: Conversation
}

/** One call of one endpoint. */
export async function callOnce(
  run: Run,
  { clock, logger, observer }: ResolvedOptions,
  { lease, place, conversations, conversation }: Visit,
): Promise<Call> {
  const { answerSchema, beforeCall, cancellation, sink, stand } = run
  // The event may have ended between the grant of its slot and now.
  if (cancellation.isCancelled) return unsent(cancellation)
  const { backend } = lease
  const { endpoint } = place
  const seed = conversations.drawSeed(place)
  const request = conversations.requestFor(conversation, seed)
  if (beforeCall) {
    const call = { backend: backend.name, endpoint: endpoint.name, key: request.key }
    await announce(call, beforeCall, cancellation)
    if (cancellation.isCancelled) return unsent(cancellation)
  }
  lease.countCall()
  const startedAt = beginCall(stand, endpoint, clock.now())
  const start = { ...identityOf(place, backend), started_at: new Date(clock.wallTime()).toISOString() }
  const receiver = sink && openReceiver({ sink, answerSchema, clock, stand })
  const trace = run.trace?.startAttempt({
    backend,
    endpoint,
    request,
    number: place.call,
    stream: receiver !== undefined,
  })
  const reply = await callEndpoint({
    backend,
    endpoint,
    request: trace ? { ...request, headers: trace.headers } : request,
    signal: cancellation.signal,
    onDelta: receiver?.onDelta,
  })
  receiver?.close()
  const plain = verdictOn(reply, request, cancellation)
  const limit = conversations.limitOf(request)
  const verdict = answerSchema ? await checkSchema(plain, { answerSchema, limit }, cancellation) : plain
  const record: AttemptRecord = {
    ...start,
    ...timesOf(plain, lease, { startedAt, endedAt: clock.now(), firstAt: receiver?.firstAt }),
    waited_ms: Math.round(place.pauseMs),
    result: resultOf(verdict),
    ...(seed !== undefined && { seed }),
    ...detailsOf(verdict, lease),
  }
  trace?.end(record, verdict.type === 'answered' ? verdict.end : undefined)
  observer?.attemptEnded(record)
  if (writes(logger, 'debug')) {
    const said =
      reply.type === 'failed' && reply.error instanceof BackendError ? reply.error.words : undefined
    logger.debug('attempt ended', { ...run.logFields, ...record, ...(said && { backend_said: said }) })
  }
  const text = receiver?.text
  if (verdict.type === 'failed')
    return { ...verdict, record, text, isHandedOn: receiver?.isHandedOn ?? false }
  return verdict.type === 'aborted' ? { ...verdict, record, text } : { ...verdict, record }
}

function beginCall(stand: Stand, { name: endpoint }: Endpoint, callAt: number): number {
  Object.assign(stand, { endpoint, callAt, isPausing: false, firstAt: undefined, chars: 0 })
  return callAt
}

const unsent = ({ reason }: Cancellation): Call => ({ type: 'aborted', reason, settled: Promise.resolve() })

/** Not known to be written down, the call could not be stopped after a crash: it is not sent. */
async function announce(
  call: AnnouncedCall,
  beforeCall: NonNullable<EventOptions['beforeCall']>,
  cancellation: Cancellation,
): Promise<void> {
  try {
    await cancellation.until(Promise.resolve(beforeCall(call)))
  } catch {
    cancellation.cancel(NOT_ANNOUNCED)
  }
}

const NOT_ANNOUNCED: Failure = {
  code: 'store_unavailable',
  details: 'The call could not be written down before it was to be sent; see the log of the store.',
}

/**
 * Hands deltas on and keeps the text, for the `partial` of an answer that breaks off. With a schema what the answer
 * says so far is handed on instead: that may start over, so an answer can still be repaired or come from another backend.
 */
function openReceiver({
  sink,
  answerSchema,
  clock,
  stand,
}: {
  readonly sink: Sink
  readonly stand: Stand
  readonly answerSchema: AnswerSchema | undefined
  readonly clock: Clock
}) {
  const { partial } = sink
  const reader = partial && answerSchema?.readPartial(partial, clock)
  let firstAt: number | undefined
  let text = ''
  return {
    onDelta(delta: Delta): Promise<void> | undefined {
      firstAt ??= clock.now()
      stand.firstAt ??= firstAt
      stand.chars += delta.text.length + (delta.reasoning?.length ?? 0)
      text += delta.text
      if (answerSchema) return reader?.push(delta.text)
      return sink.delta(delta)
    },
    close: () => reader?.close(),
    get firstAt() {
      return firstAt
    },
    get text() {
      return text === '' ? undefined : text
    },
    get isHandedOn() {
      return firstAt !== undefined && !answerSchema
    },
  }
}

function verdictOn(reply: Reply, request: GenerationRequest, cancellation: Cancellation): Verdict {
  if (reply.type === 'aborted') return { ...reply, reason: cancellation.reason }
  if (reply.type === 'failed') return { type: 'failed', failure: classify(reply.error) }
  return isEmpty(reply.end, request) ? { type: 'failed', failure: EMPTY_ANSWER } : reply
}

/** An answer that calls tools is none to the schema yet. */
async function checkSchema(
  verdict: Verdict,
  { answerSchema, limit }: { readonly answerSchema: AnswerSchema; readonly limit: Limit },
  cancellation: Cancellation,
): Promise<Verdict> {
  if (verdict.type !== 'answered' || verdict.end.tool_calls?.length) return verdict
  const held = await cancellation.until(holdAgainst(answerSchema, verdict.end, limit))
  if (!held.ok) return { type: 'aborted', reason: held.failure, settled: Promise.resolve() }
  return 'ok' in held.value ? { ...verdict, matching: held.value } : { type: 'failed', failure: held.value }
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

const identityOf = ({ endpoint, call }: Place, { name }: Backend) => ({
  backend: name,
  endpoint: endpoint.name,
  number: call,
})

function resultOf(verdict: Verdict): AttemptRecord['result'] {
  if (verdict.type === 'answered') return 'completed'
  if (verdict.type === 'aborted') return verdict.reason.code
  return verdict.failure.endpointMissing ? 'endpoint_missing' : verdict.failure.code
}

/** A server's clock may run a little differently from ours; one that says much more counts something else. */
const BELIEVED = { share: 1.05, slackMs: 20 }

/** On the clock. */
interface CallTimes {
  readonly startedAt: number
  readonly endedAt: number
  /** Of its first delta. */
  readonly firstAt: number | undefined
}

/** How long a call took, and what that time went into, by the best source that there is. */
function timesOf(verdict: Verdict, lease: Lease, { startedAt, endedAt, firstAt }: CallTimes) {
  const duration_ms = Math.round(endedAt - startedAt)
  if (firstAt === undefined) return { duration_ms, ...phasesOf(verdict, lease, duration_ms) }
  const first_token_ms = Math.round(firstAt - startedAt)
  return { duration_ms, first_token_ms, ...phasesOf(verdict, lease, duration_ms, first_token_ms) }
}

function phasesOf(
  verdict: Verdict,
  lease: Lease,
  durationMs: number,
  firstTokenMs?: number,
): Pick<AttemptRecord, 'prompt_ms' | 'completion_ms' | 'phases'> {
  const end = verdict.type === 'answered' ? verdict.end : undefined
  const told = end?.times
  if (told && told.promptMs + told.completionMs <= BELIEVED.share * durationMs + BELIEVED.slackMs)
    return phases('backend', told, durationMs)
  if (firstTokenMs !== undefined) {
    const stoppingMs = (verdict.type === 'failed' && verdict.failure.stoppedAfterMs) || 0
    const completionMs = Math.max(0, durationMs - firstTokenMs - stoppingMs)
    return phases('stream', { promptMs: firstTokenMs, completionMs }, durationMs)
  }
  const likely = end?.usage && lease.likelyPhases(end.usage, durationMs, end.cached_prompt_tokens)
  return likely ? phases('learned', likely, durationMs) : {}
}

function phases(
  by: NonNullable<AttemptRecord['phases']>,
  { promptMs, completionMs }: NonNullable<GenerationEnd['times']>,
  durationMs: number,
) {
  const prompt_ms = Math.min(Math.round(promptMs), durationMs)
  return {
    prompt_ms,
    completion_ms: Math.min(Math.round(completionMs), durationMs - prompt_ms),
    phases: by,
  }
}

function detailsOf(verdict: Verdict, lease: Lease): Partial<AttemptRecord> {
  if (verdict.type === 'answered') {
    const { raw_finish_reason, cached_prompt_tokens: saved = lease.savedTokens() } = verdict.end
    return { raw_finish_reason, ...(saved && { saved_prompt_tokens: saved }) }
  }
  if (verdict.type === 'aborted') return {}
  const { details, status, stopped, stoppedAfterMs } = verdict.failure
  return {
    details,
    ...(status !== undefined && { status }),
    ...(stopped !== undefined && { stopped }),
    ...(stoppedAfterMs !== undefined && { stopped_after_ms: Math.round(stoppedAfterMs) }),
  }
}

interface EndpointCall {
  readonly backend: Backend
  readonly endpoint: Endpoint
  readonly request: GenerationRequest
  readonly signal: AbortSignal
  /** Present: the caller wants deltas. The next one is asked for when the promise has resolved. */
  readonly onDelta?: ((delta: Delta) => Promise<void> | undefined) | undefined
}

type Reply =
  | { readonly type: 'answered'; readonly end: GenerationEnd }
  | { readonly type: 'failed'; readonly error: unknown }
  /** The signal was aborted. The backend may still be stopping; `settled` resolves when it has. */
  | { readonly type: 'aborted'; readonly settled: Promise<void> }

/** Calls one endpoint once. Returns as soon as the signal is aborted, even where the backend takes longer to stop. */
async function callEndpoint({ backend, endpoint, request, signal, onDelta }: EndpointCall): Promise<Reply> {
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
    // It does not matter how an aborted call ends, only that it has ended.
  }
}
