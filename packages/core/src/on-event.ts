import { type Answer, type AttemptContext, type Attempted, attempt } from './attempt/attempt.ts'
import type { EventOptions } from './contract/dispatcher.ts'
import { type Failure, failure } from './contract/failure.ts'
import type { ResolvedOptions } from './contract/options.ts'
import type {
  AttemptRecord,
  DataOutcome,
  EventWarning,
  FailureOutcome,
  Outcome,
  SuccessOutcome,
} from './contract/outcome.ts'
import { mostToolTokens, type Prompt } from './contract/prompt.ts'
import {
  type Asked,
  hasSchema,
  hasUnknownField,
  openAnswerSchema,
  readAsked,
  readEventId,
} from './event/event.ts'
import {
  Cancellation,
  createId,
  createStand,
  type EventHead,
  type Run,
  type RunFailure,
  type Sink,
  type Work,
  writes,
} from './event/run.ts'
import { likelyTokens } from './scheduler/speed-estimate.ts'
import { traceIdOf, tracing } from './telemetry/load-tracing.ts'

/** The story of an event: parse, extract, route, wait, attempt, respond. With a sink its deltas are handed on. */
export async function runEvent(context: EventContext, given: GivenEvent): Promise<Outcome> {
  const { value, options } = given
  const read = readAsked(value, options)
  const asked = read.ok && hasSchema(read.value, options) ? await openAnswerSchema(read.value, options) : read
  const { id: givenId, metadata } = asked.ok ? asked.value.event : { id: readEventId(value) }
  const startedAt = context.clock.now()
  const id = givenId ?? `evt_${createId(context.clock.wallTime(), context.random)}`
  context.observer?.eventStarted()
  const tracer = tracing()
  const { headers, trace: traceOptions } = options
  const trace = tracer && (await tracer)?.startEventTrace({ id, headers, traceOptions })
  const plain = headOf(options, { id, metadata, startedAt, trace })
  const head = options.madeOf || hasUnknownField(value) ? await withWarnings(plain, given, context) : plain
  if (!asked.ok) return conclude(context, given, { head, attempted: unread(asked.failure) })
  const run = toRun(context, given, { head, asked: asked.value })
  const release = context.admit(run.cancellation)
  const unlisten = cancelWith(run.cancellation, options.signal)
  const deadline = context.clock.setTimer(
    () => run.cancellation.cancel(DEADLINE),
    run.deadlineAt - run.startedAt,
  )
  try {
    return conclude(context, given, { head, attempted: await attempt(run, context) })
  } finally {
    deadline.cancel()
    unlisten()
    release()
  }
}

/** What an event needs of its dispatcher. */
export interface EventContext extends AttemptContext {
  /** Counts the event as running until the returned function is called; ends it at once when the desk is closing. */
  admit(cancellation: Cancellation): () => void
}

export interface GivenEvent {
  readonly value: unknown
  readonly options: EventOptions
  /** Present: deltas are handed on as they come. */
  readonly sink?: Sink
}

const unread = (problem: Failure): Attempted => ({
  result: failure(problem),
  attempts: [],
  waitedMs: 0,
  overtakenMs: 0,
})

/** Every line about the event can be found by its id and by its trace. */
function headOf(
  { caller = '', headers, logFields, door }: EventOptions,
  known: Pick<EventHead, 'id' | 'metadata' | 'startedAt' | 'trace'>,
): EventHead {
  const traceId = known.trace?.traceId ?? traceIdOf(headers)
  const traceField = traceId === undefined ? undefined : { trace_id: traceId }
  return {
    ...known,
    warnings: undefined,
    caller,
    logFields: { ...logFields, ...(door && { door }), ...traceField, event_id: known.id },
  }
}

async function withWarnings(
  head: EventHead,
  { value, options }: GivenEvent,
  { logger }: ResolvedOptions,
): Promise<EventHead> {
  const { findNearMisses } = await import('./event/near-misses.ts')
  return { ...head, warnings: findNearMisses({ value, madeOf: options.madeOf }, logger, head.logFields) }
}

function toRun(
  { tuning, contextPolicy }: ResolvedOptions,
  { options, sink }: GivenEvent,
  { head, asked }: { head: EventHead; asked: Asked },
): Run {
  const { event, prompt, answerSchema } = asked
  const isCeiling = options.maxTokensIsCeiling ?? false
  return {
    ...head,
    prompt,
    model: event.model,
    backend: event.backend,
    answerSchema,
    contextPolicy: event.context_policy ?? contextPolicy,
    contextLimit: options.contextLimit,
    keepsFirst: options.keepsFirst ?? 0,
    isCeiling,
    continues: options.continues ?? false,
    priority: event.priority ?? 0,
    headers: options.headers,
    prefix: options.prefix,
    deadlineAt: head.startedAt + (event.timeout_ms ?? tuning.timeoutMs),
    cancellation: new Cancellation(),
    sink,
    stand: createStand(options, sink !== undefined),
    beforeCall: options.beforeCall,
    work: workOf(prompt, isCeiling, tuning.maxTokens),
  }
}

/**
 * Counts characters, not bytes: close enough for an estimate, and free. A ceiling says nothing of the answer: agents
 * send 32,000 with every question.
 */
function workOf({ turns, parameters }: Prompt, isCeiling: boolean, maxTokens: number): Work {
  const { max_tokens: asked = maxTokens, tools } = parameters
  let length = 0
  for (const { content } of turns) if (typeof content === 'string') length += content.length
  return {
    promptTokens: likelyTokens(length) + mostToolTokens(tools, turns),
    maxTokens: isCeiling ? Math.min(asked, maxTokens) : asked,
  }
}

const DEADLINE: Failure = {
  code: 'deadline_exceeded',
  details: 'The time of the event was up before its answer was whole; raise `timeout_ms` or ask for less.',
}

const CANCELLED: Failure = { code: 'cancelled', details: 'The caller cancelled the event.' }

function cancelWith(cancellation: Cancellation, signal: AbortSignal | undefined): () => void {
  const onAbort = () => cancellation.cancel(CANCELLED)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return () => signal?.removeEventListener('abort', onAbort)
}

/** The one recorded end: logs, traces and reports the outcome. */
function conclude(
  { clock, logger, onOutcome, observer }: ResolvedOptions,
  { value, options }: GivenEvent,
  { head, attempted }: { head: EventHead; attempted: Attempted },
): Outcome {
  const { id, startedAt, metadata, warnings, caller, logFields, trace } = head
  const { result, attempts, waitedMs, overtakenMs } = attempted
  const durationMs = Math.round(clock.now() - startedAt)
  const story = { id, durationMs, waitedMs: Math.round(waitedMs), attempts, warnings, metadata }
  const outcome = result.ok
    ? respondWithAnswer(story, result.value)
    : respondWithFailure(story, result.failure)
  const level = levelOf(outcome)
  if (writes(logger, level)) logger[level](endOf(outcome), { ...logFields, ...describe(outcome) })
  trace?.end(outcome, waitedMs)
  const { door, takesAnyTurn, maxTokensIsCeiling } = options
  const from = door && { door }
  observer?.eventEnded(outcome, { waitedMs, overtakenMs, ...from })
  try {
    options.record?.(outcome)
  } catch (error) {
    logger.error('record threw', { ...logFields, error })
  }
  try {
    onOutcome?.(outcome, {
      event: value,
      caller,
      ...from,
      ...(takesAnyTurn && { takesAnyTurn }),
      ...(maxTokensIsCeiling && { maxTokensIsCeiling }),
      waitedMs,
      isRecorded: options.record !== undefined,
    })
  } catch (error) {
    logger.error('onOutcome threw', { ...logFields, error })
  }
  return outcome
}

/** A caller that cancels an event knows about it. */
const levelOf = ({ error }: Outcome): 'info' | 'warn' =>
  error === undefined || error === 'cancelled' ? 'info' : 'warn'

const endOf = (outcome: Outcome): string => (levelOf(outcome) === 'warn' ? 'event failed' : 'event ended')

/** All that it takes to see where the time of an event went; never what was asked or answered. */
function describe(outcome: Outcome) {
  const last = outcome.attempts.at(-1)
  const { usage = null } = outcome
  return {
    code: outcome.error ?? 'completed',
    ...(outcome.error !== undefined && { details: outcome.details }),
    ...(last && { backend: last.backend, endpoint: last.endpoint }),
    duration_ms: outcome.duration_ms,
    waited_ms: outcome.waited_ms,
    ...(last?.first_token_ms !== undefined && { first_token_ms: last.first_token_ms }),
    attempts: outcome.attempts.length,
    ...usage,
  }
}

/** What both kinds of outcome share. */
interface Story {
  readonly id: string
  readonly durationMs: number
  readonly waitedMs: number
  readonly attempts: AttemptRecord[]
  readonly warnings: EventWarning[] | undefined
  readonly metadata?: Record<string, unknown> | undefined
}

function respondWithAnswer(story: Story, answer: Answer): SuccessOutcome | DataOutcome<unknown> {
  const { end, backend, endpoint, isTruncated, dropped, continues, matched } = answer
  const text = matched?.text ?? end.text
  return {
    completion: continues && !matched ? text : text.trim(),
    id: story.id,
    model: end.model ?? null,
    backend,
    endpoint,
    finish_reason: end.finish_reason,
    usage: end.usage ?? null,
    duration_ms: story.durationMs,
    waited_ms: story.waitedMs,
    attempts: story.attempts,
    ...(end.reasoning ? { reasoning: end.reasoning } : {}),
    ...(end.tool_calls && end.tool_calls.length > 0 ? { tool_calls: end.tool_calls } : {}),
    ...(matched ? { data: matched.data, schema: matched.certificate } : {}),
    ...(isTruncated ? { prompt_truncated: true as const } : {}),
    ...(dropped.length > 0 ? { dropped_turns: [...dropped] } : {}),
    ...(story.warnings ? { warnings: story.warnings } : {}),
    ...(story.metadata ? { metadata: story.metadata } : {}),
  }
}

function respondWithFailure(
  story: Story,
  { code, details, retryAfterMs, partial, schema }: RunFailure,
): FailureOutcome {
  return {
    error: code,
    details,
    id: story.id,
    duration_ms: story.durationMs,
    waited_ms: story.waitedMs,
    attempts: story.attempts,
    ...(partial ? { partial } : {}),
    ...(schema ? { schema } : {}),
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }),
    ...(story.warnings ? { warnings: story.warnings } : {}),
    ...(story.metadata ? { metadata: story.metadata } : {}),
  }
}
