import type { Problem } from '../answer-schema/answer-schema.ts'
import type { GenerationEnd } from '../contract/backend.ts'
import { sleep } from '../contract/clock.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { SchemaCertificate } from '../contract/outcome.ts'
import type { CallFailure } from '../event/run.ts'
import { endedBecause, type Run, type RunFailure } from '../event/run.ts'
import type { CallSample } from '../scheduler/backend-slots.ts'
import { type Called, callOnce } from './call.ts'
import { collectText } from './collect-text.ts'
import { wasTruncated } from './fit-context.ts'
import { type MatchingAnswer, reported } from './match-answer.ts'
import { backoffMs, nextStep, type Position, type Step } from './next-step.ts'
import {
  type AttemptContext,
  type Cursor,
  endpointOf,
  extendTurns,
  fitForSchema,
  openCursor,
  placeOf,
} from './position.ts'
import type { Answer } from './respond.ts'

/** The one loop over backends, endpoints and repeats. `nextStep` decides, this acts. */
export async function attempt(run: Run, context: AttemptContext): Promise<Result<Answer, RunFailure>> {
  const tried = new Set<string>()
  const text = collectText(run)
  let cursor: Cursor | undefined
  let verdict: CallFailure | undefined
  let isReturning = false
  const repairs: RepairLog = { count: 0, problems: [] }
  for (;;) {
    if (!cursor) {
      const lease = await context.scheduler.takeLease(run, { tried, isReturning })
      if (!lease.ok) return failure(ended(lease.failure, verdict, { repairs }))
      const opened = await openCursor(lease.value, run, context)
      if (!opened.ok) return opened
      cursor = opened.value
    }
    const { lease } = cursor
    const called = await callOnce(run, context, { cursor, text })
    if (called.type === 'aborted') {
      lease.leave({ type: 'aborted', settled: called.settled })
      return failure({ ...endedBecause(run), partial: text.value() })
    }
    if (called.type === 'answered') {
      lease.leave({ type: 'answered', sample: sampleOf(run, called.end) })
      return success(toAnswer(run, context, { cursor, called, repairs }))
    }
    const failed = called.failure
    if (!failed.endpointMissing) verdict = failed
    lease.failed(failed)
    const step = nextStep(
      failed,
      positionOf(run, context, { cursor, failed, tried, handedOn: text.isHandedOn(), repairs }),
    )
    if (isAtSameBackend(step)) {
      const moved = await moveOn(run, context, { cursor, step, failed, repairs })
      if (moved.ok) continue
      lease.leave({ type: 'failed', failure: failed })
      return moved
    }
    lease.leave({ type: 'failed', failure: failed })
    if (step.type === 'stop')
      return failure(ended(verdict ?? failed, failed, { text: text.value(), repairs }))
    if (step.type === 'next_backend') tried.add(lease.backend.name)
    isReturning = true
    cursor = undefined
  }
}

/** How often an answer was asked to be corrected, and what was wrong with the last that was. */
interface RepairLog {
  count: number
  problems: readonly Problem[]
}

type StepHere = Extract<Step, { type: 'repeat' | 'next_endpoint' | 'repair' | 'relax' }>

const isAtSameBackend = (step: Step): step is StepHere =>
  step.type === 'repeat' || step.type === 'next_endpoint' || step.type === 'repair' || step.type === 'relax'

interface Move {
  readonly cursor: Cursor
  readonly step: StepHere
  readonly failed: CallFailure
  readonly repairs: RepairLog
}

/** Makes ready for the next call in the same slot. Fails when the run was ended meanwhile. */
async function moveOn(run: Run, context: AttemptContext, move: Move): Promise<Result<void, RunFailure>> {
  const { cursor, step } = move
  switch (step.type) {
    case 'repeat':
      return pause(run, context, cursor, step.afterMs)
    case 'repair':
      return askForRepair(run, context, move)
    case 'relax':
      cursor.waitedMs = 0
      cursor.relaxed = true
      return run.answerSchema ? fitForSchema(run, context, cursor, run.answerSchema) : success(undefined)
    case 'next_endpoint':
      cursor.endpointIndex += 1
      cursor.calls = 0
      cursor.repairs = 0
      cursor.waitedMs = 0
      cursor.relaxed = false
      if (run.control.signal.aborted) return failure(endedBecause(run))
      return run.answerSchema ? fitForSchema(run, context, cursor, run.answerSchema) : success(undefined)
  }
}

async function pause(
  run: Run,
  context: AttemptContext,
  cursor: Cursor,
  afterMs: number,
): Promise<Result<void, RunFailure>> {
  cursor.lease.countRepeat()
  cursor.waitedMs = afterMs
  return sleep(context.clock, afterMs, run.control.signal).then(
    () => success(undefined),
    () => failure(endedBecause(run)),
  )
}

/** Where the longer conversation does not fit, the answer that did not match is the end of it. */
async function askForRepair(
  run: Run,
  context: AttemptContext,
  { cursor, failed, repairs }: Move,
): Promise<Result<void, RunFailure>> {
  const { partial = '', problems = [] } = failed
  const turns = run.answerSchema?.repairTurns(partial, problems) ?? []
  const extended = await extendTurns(run, context, cursor, turns)
  if (run.control.signal.aborted) return failure(endedBecause(run))
  if (!extended.ok) return failure(ended(failed, failed, { repairs }))
  cursor.waitedMs = 0
  cursor.repairs += 1
  repairs.count += 1
  repairs.problems = problems
  return success(undefined)
}

function positionOf(
  run: Run,
  context: AttemptContext,
  at: { cursor: Cursor; failed: CallFailure; tried: Set<string>; handedOn: boolean; repairs: RepairLog },
): Position {
  const { cursor, failed, tried } = at
  const others = context.scheduler.others(run, new Set([...tried, cursor.lease.backend.name]))
  return {
    // A repair is no repeat of a call that failed.
    calls: cursor.calls - cursor.repairs,
    maxCalls: context.tuning.attempts,
    hasNextEndpoint: cursor.endpointIndex + 1 < cursor.endpoints.length,
    hasOtherBackend: others.exist,
    otherIsReady: others.ready,
    isLoading: failed.stopped === 'not_sent' && cursor.lease.isLoading(),
    handedOn: at.handedOn,
    timeLeftMs: run.deadlineAt - context.clock.now(),
    backoffMs: backoffMs(
      { repeat: cursor.calls, random: context.random() },
      { baseMs: context.tuning.backoffBaseMs, capMs: context.tuning.backoffCapMs },
    ),
    mayRepeat: cursor.lease.mayRepeat(),
    repairsLeft: context.tuning.repairs - at.repairs.count,
    enforced: cursor.enforced,
  }
}

type Answered = Extract<Called, { type: 'answered' }>

function toAnswer(
  run: Run,
  context: AttemptContext,
  { cursor, called, repairs }: { cursor: Cursor; called: Answered; repairs: RepairLog },
): Answer {
  const { end, matching } = called
  const backend = cursor.lease.backend.name
  const isTruncated = wasTruncated(cursor.fit, end.usage?.prompt_tokens)
  if (isTruncated) {
    context.logger.warn('the backend cut the prompt', { ...run.logFields, event_id: run.id, backend })
  }
  // Refused with the schema and taken without: the same would happen to the next event.
  if (cursor.relaxed) run.answerSchema?.refusedBy.add(placeOf(cursor))
  const matched = matching && {
    data: matching.data,
    text: matching.text,
    certificate: certify(matching, cursor, repairs),
  }
  const endpoint = endpointOf(cursor).name
  return { end, backend, endpoint, isTruncated, dropped: cursor.fit.dropped, matched }
}

function certify(
  { isBare, isMended }: MatchingAnswer,
  { enforced }: Cursor,
  { count, problems }: RepairLog,
): SchemaCertificate {
  return {
    enforced_by: count > 0 ? 'repair' : enforced && isBare ? 'backend' : 'validator',
    repairs: count,
    ...(isMended ? { mended: true as const } : {}),
    ...(count > 0 ? { errors: reported(problems) } : {}),
  }
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

function ended(
  said: Failure,
  failed: CallFailure | undefined,
  { text, repairs }: { text?: string | undefined; repairs: RepairLog },
): RunFailure {
  const { code, details, retryAfterMs } = said
  const partial = failed?.problems ? failed.partial : text || failed?.partial
  return {
    code,
    details,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    partial,
    ...(failed?.problems ? { schema: { repairs: repairs.count, errors: reported(failed.problems) } } : {}),
  }
}
