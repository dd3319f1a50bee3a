import type { GenerationEnd } from './backend.ts'
import { backoffMs } from './backoff.ts'
import { callOnce } from './call-once.ts'
import type { CallFailure } from './classify.ts'
import { sleep } from './clock.ts'
import { collectText } from './collect-text.ts'
import { type AttemptContext, type Cursor, endpointOf, openCursor } from './cursor.ts'
import { failure, type Result, success } from './failure.ts'
import { wasTruncated } from './fit-context.ts'
import { nextStep, type Position, type Step } from './next-step.ts'
import type { Answer } from './respond.ts'
import { endedBecause, type Run, type RunFailure } from './run.ts'
import type { CallSample } from './station.ts'

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
      const opened = await openCursor(seat.value, run, context)
      if (!opened.ok) return opened
      cursor = opened.value
    }
    const { seat } = cursor
    const called = await callOnce(run, context, { cursor, text })
    if (called.type === 'aborted') {
      seat.leave({ type: 'aborted', settled: called.settled })
      return failure({ ...endedBecause(run), partial: text.value() })
    }
    if (called.type === 'answered') {
      seat.leave({ type: 'answered', sample: sampleOf(run, called.end) })
      return success(toAnswer(run, context, { cursor, end: called.end }))
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

function toAnswer(
  run: Run,
  context: AttemptContext,
  { cursor, end }: { cursor: Cursor; end: GenerationEnd },
): Answer {
  const backend = cursor.seat.backend.name
  const isTruncated = wasTruncated(cursor.fit, end.usage?.prompt_tokens)
  if (isTruncated) {
    context.logger.warn('the backend cut the prompt', { ...run.logFields, event_id: run.id, backend })
  }
  return { end, backend, endpoint: endpointOf(cursor).name, isTruncated, dropped: cursor.fit.dropped }
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

const withPartial = (said: RunFailure, failed: CallFailure | undefined, text?: string): RunFailure => ({
  code: said.code,
  details: said.details,
  ...(said.retryAfterMs === undefined ? {} : { retryAfterMs: said.retryAfterMs }),
  partial: text || failed?.partial,
})
