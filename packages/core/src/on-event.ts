import { attempt } from './attempt/attempt.ts'
import { type Answer, respondWithAnswer, respondWithFailure } from './attempt/respond.ts'
import type { EventOptions } from './contract/dispatcher.ts'
import { type Failure, failure, type Result } from './contract/failure.ts'
import { writes } from './contract/logger.ts'
import type { ResolvedOptions } from './contract/options.ts'
import type { Outcome } from './contract/outcome.ts'
import type { Prompt } from './contract/prompt.ts'
import { readEventId } from './event/event.ts'
import { type Asked, hasSchema, openAnswerSchema, readAsked } from './event/read-event.ts'
import { createId, type Run, type RunFailure, type Sink, type Work } from './event/run.ts'
import type { Scheduler } from './scheduler/scheduler.ts'
import { likelyTokens } from './scheduler/speed-estimate.ts'
import { traceIdOf, tracing } from './telemetry/load-tracing.ts'

/** The story of an event: parse, extract, route, wait, attempt, respond. With a sink its deltas are handed on. */
export async function runEvent(context: EventContext, given: GivenEvent): Promise<Outcome> {
  const read = readAsked(given.value)
  const asked =
    read.ok && hasSchema(read.value, given.options) ? await openAnswerSchema(read.value, given.options) : read
  const run = startRun(context, given, asked)
  context.observer?.eventStarted()
  const trace = tracing()
  if (trace) run.trace = (await trace).startEventTrace(run)
  nameTrace(run)
  const release = context.admit(run)
  const unlisten = cancelWith(run, given.options.signal)
  const deadline = context.clock.setTimer(() => run.control.abort(DEADLINE), run.deadlineAt - run.startedAt)
  try {
    const ended = asked.ok ? await attemptSafely(run, context) : asked
    return record(context, { run, given, ended })
  } finally {
    deadline.cancel()
    unlisten()
    release()
  }
}

/** What an event needs of its dispatcher. */
export interface EventContext extends ResolvedOptions {
  readonly scheduler: Scheduler
  /** Counts the event as in hand until the returned function is called; ends it at once when the desk is closing. */
  admit(run: Run): () => void
}

export interface GivenEvent {
  readonly value: unknown
  readonly options: EventOptions
  /** Present: deltas are handed on as they come. */
  readonly sink?: Sink
}

const NO_PROMPT: Prompt = { turns: [], text: '', parameters: {} }

function startRun(
  { clock, random, tuning, contextPolicy }: EventContext,
  { value, options, sink }: GivenEvent,
  asked: Result<Asked>,
): Run {
  const event = asked.ok ? asked.value.event : undefined
  const startedAt = clock.now()
  return {
    id: event?.id ?? readEventId(value) ?? `evt_${createId(clock.wallTime(), random)}`,
    prompt: asked.ok ? asked.value.prompt : NO_PROMPT,
    model: event?.model,
    backend: event?.backend,
    answerSchema: asked.ok ? asked.value.answerSchema : undefined,
    metadata: event?.metadata,
    contextPolicy: event?.context_policy ?? contextPolicy,
    continues: options.continues ?? false,
    priority: event?.priority ?? 0,
    caller: options.caller ?? '',
    headers: options.headers,
    traceOptions: options.trace,
    logFields: options.logFields,
    trace: undefined,
    allowed: [],
    startedAt,
    deadlineAt: startedAt + (event?.timeout_ms ?? tuning.timeoutMs),
    control: new AbortController(),
    sink,
    beforeCall: options.beforeCall,
    attempts: [],
    work: workOf(asked.ok ? asked.value.prompt : NO_PROMPT, tuning.maxTokens),
    waitedMs: 0,
  }
}

/** Every line about the event can be found by its trace. */
function nameTrace(run: Run): void {
  const traceId = run.trace?.traceId ?? traceIdOf(run.headers)
  if (traceId !== undefined) run.logFields = { ...run.logFields, trace_id: traceId }
}

/** Characters stand for bytes: an estimate needs no better, and an event pays nothing for it. */
function workOf({ turns, parameters }: Prompt, maxTokens: number): Work {
  let length = 0
  for (const { content } of turns) if (typeof content === 'string') length += content.length
  return { promptTokens: likelyTokens(length), maxTokens: parameters.max_tokens ?? maxTokens }
}

const DEADLINE: Failure = {
  code: 'deadline_exceeded',
  details: 'The time of the event was up before its answer was whole; raise `timeout_ms` or ask for less.',
}

const CANCELLED: Failure = { code: 'cancelled', details: 'The caller cancelled the event.' }

function cancelWith({ control }: Run, signal: AbortSignal | undefined): () => void {
  const onAbort = () => control.abort(CANCELLED)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return () => signal?.removeEventListener('abort', onAbort)
}

/** A bug of ours must not lose the event: it ends as `internal_error`. */
async function attemptSafely(run: Run, context: EventContext): Promise<Result<Answer, RunFailure>> {
  try {
    return await attempt(run, context)
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error
    context.logger.error('internal error', { ...run.logFields, event_id: run.id, error })
    return failure({ code: 'internal_error', details: `The desk failed with ${name}; see its log.` })
  }
}

function record(
  { clock, logger, onOutcome, observer }: EventContext,
  { run, given, ended }: { run: Run; given: GivenEvent; ended: Result<Answer, RunFailure> },
): Outcome {
  const { value: event, options } = given
  const story = {
    id: run.id,
    durationMs: Math.round(clock.now() - run.startedAt),
    attempts: run.attempts,
    metadata: run.metadata,
  }
  const outcome = ended.ok ? respondWithAnswer(story, ended.value) : respondWithFailure(story, ended.failure)
  if (writes(logger, 'info')) logger.info('event ended', describeOutcome(outcome, run))
  run.trace?.end(outcome, run.waitedMs)
  observer?.eventEnded(outcome, run)
  try {
    options.record?.(outcome)
  } catch (error) {
    logger.error('record threw', { ...run.logFields, event_id: run.id, error })
  }
  try {
    const { caller, waitedMs } = run
    onOutcome?.(outcome, { event, caller, waitedMs, isRecorded: options.record !== undefined })
  } catch (error) {
    logger.error('onOutcome threw', { ...run.logFields, event_id: run.id, error })
  }
  return outcome
}

/** All that it takes to find the event again and to see where its time went; never what was asked or answered. */
function describeOutcome(outcome: Outcome, run: Run) {
  const last = outcome.attempts.at(-1)
  const usage = 'error' in outcome ? null : outcome.usage
  return {
    ...run.logFields,
    event_id: run.id,
    code: 'error' in outcome ? outcome.error : 'completed',
    ...(last && { backend: last.backend, endpoint: last.endpoint }),
    duration_ms: outcome.duration_ms,
    waited_ms: Math.round(run.waitedMs),
    ...(last?.first_token_ms !== undefined && { first_token_ms: last.first_token_ms }),
    attempts: outcome.attempts.length,
    ...usage,
  }
}
