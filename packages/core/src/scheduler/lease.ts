import type { Backend, BackendErrorKind, GenerationEnd } from '../contract/backend.ts'
import type { Failure, FailureCode } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Usage } from '../contract/outcome.ts'
import type { Turn } from '../contract/prompt.ts'
import type { CallFailure } from '../event/run.ts'
import type { BackendSlots } from './backend-slots.ts'
import {
  type BackendStatus,
  onAnswered,
  onBusy,
  onCallFailed,
  onEventEnded,
  onStuck,
  onUnstuck,
  onUnusable,
} from './backend-state.ts'
import type { RetryBudget } from './retry-budget.ts'
import { modelOn } from './route.ts'

/** How an event leaves the backend that it called. */
type Leaving =
  | { readonly type: 'answered'; readonly sample: AnswerSample; readonly answer: Turn }
  | { readonly type: 'failed'; readonly failure: Failure }
  /** Nothing was sent. */
  | { readonly type: 'unused' }
  /** `settled`: when the backend has stopped. The slot is taken until then. */
  | { readonly type: 'aborted'; readonly reason: Failure; readonly settled: Promise<void> }

/** What a whole answer took. */
export interface AnswerSample {
  readonly usage: Usage | undefined
  /** The server's own count of the tokens that it did not read. */
  readonly cachedTokens: number | undefined
  /** Of the last call alone, without waiting and earlier attempts. */
  readonly durationMs: number
  readonly firstTokenMs: number | undefined
}

/** Told of how a call went, for what the server keeps of its prompt. */
export interface PromptReader {
  /** Estimated, in the server's tokens: what it need not read of the prompt. */
  readonly savedTokens: number
  /** A call is about to be sent. */
  sent(): void
  answered(sample: AnswerSample, answer: Turn): void
  lost(): void
  /** Whatever the server kept may be gone. */
  forget(): void
}

/** Backends to go on to. */
interface Alternatives {
  readonly exist: boolean
  /** One of them is known to answer, or was never asked. */
  readonly areReady: boolean
}

/** A slot of a backend, taken by one event. */
export interface Lease {
  readonly backend: Backend
  /** The port is closed, and the server answered not long ago. */
  isLoading(): boolean
  mayRepeat(): boolean
  countCall(): void
  countRepeat(): void
  /** A call has failed; what follows is not decided yet. */
  failed(failure: CallFailure): void
  /** Gives the slot back, once: later calls do nothing. */
  leave(leaving: Leaving): void
  /** Other backends that may answer the event, without those tried already. */
  alternatives(tried: ReadonlySet<string>): Alternatives
  /** Tokens that the model of the event holds; asks it where that is not known, or has to be certain. */
  contextLength(certainty: { readonly isCertain: boolean }): Promise<number | undefined>
  /** The same without asking. */
  knownContextLength(): number | undefined
  /** Tokens of the prompt that the first call here is likely to spare; undefined: none, or it was made already. */
  savedTokens(): number | undefined
  /**
   * How a whole answer of the last call was likely spent, by the speed learned before; undefined: nobody can tell, for
   * instance because the server may have kept the prompt of the call before.
   */
  likelyPhases(usage: Usage, durationMs: number, cachedTokens: number | undefined): GenerationEnd['times']
  /** Why the backend did not count tokens; undefined: it did. False: that is known already. */
  isNewCountProblem(problem: string | undefined): boolean
  /** The name to send for the one that the event asks for; undefined: whatever the backend serves. */
  modelFor(model: string): string | undefined
}

interface LeaseContext {
  readonly slots: BackendSlots
  /** All backends that may answer the event. */
  readonly allowed: readonly BackendSlots[]
  /** What the caller of the event has left to repeat. */
  readonly callerBudget: RetryBudget | undefined
  readonly reader: PromptReader
  /** As the event names it. */
  readonly model: string | undefined
  /** How many generations the server makes of one call. */
  readonly generations: number
  readonly options: Pick<ResolvedOptions, 'clock' | 'tuning' | 'observer' | 'random'>
}

/** Takes a slot of the backend. `onFree` is called when it is free again, before others are served. */
export function openLease(
  { slots, allowed, callerBudget, reader, model: asked, generations, options }: LeaseContext,
  onFree: () => void,
): Lease {
  const { clock, random } = options
  const budgets = callerBudget ? [slots.budget, callerBudget] : [slots.budget]
  const { isTrial } = slots.take()
  let hasLeft = false
  let calls = 0
  const free = (code: FailureCode | undefined) => {
    slots.release(calls * generations, code === undefined)
    onFree()
    slots.become(onEventEnded(slots.status, clock.now(), { code, trial: isTrial }))
  }
  return {
    backend: slots.backend,
    isLoading: () => slots.stateName() === 'loading',
    mayRepeat: () => budgets.every((budget) => !budget.spent(clock.now())),
    savedTokens: () => (calls <= 1 && reader.savedTokens > 0 ? Math.round(reader.savedTokens) : undefined),
    likelyPhases: (usage, durationMs, cached = calls <= 1 ? reader.savedTokens : undefined) =>
      cached === undefined ? undefined : slots.partCall(usage, durationMs, cached),
    countCall() {
      calls += 1
      reader.sent()
      slots.countCall(generations)
      for (const budget of budgets) budget.recordCall(clock.now())
    },
    countRepeat() {
      for (const budget of budgets) budget.tryRepeat(clock.now())
    },
    alternatives: (tried) => describe(allowed.filter((other) => other !== slots && !tried.has(other.name))),
    contextLength: (certainty) => slots.contextLength(asked, certainty),
    knownContextLength: () => slots.knownContextLength(asked),
    isNewCountProblem: (problem) => slots.isNewCountProblem(problem),
    modelFor: (model) => modelOn(slots, model),
    failed(failed) {
      if (failed.kind !== undefined && CONNECTION_LOST.has(failed.kind)) slots.expectChange()
      // Another client uses it.
      if (failed.isBusy) reader.forget()
      slots.become(statusAfter(slots.status, failed, { now: clock.now(), random }))
    },
    leave(leaving) {
      if (hasLeft) return
      hasLeft = true
      if (leaving.type === 'answered') {
        reader.answered(leaving.sample, leaving.answer)
        free(undefined)
        return
      }
      reader.lost()
      if (leaving.type === 'failed') free(leaving.failure.code)
      else if (leaving.type === 'unused') free('cancelled')
      else void holdUntil(leaving.settled, slots, options).then(() => free(leaving.reason.code))
    },
  }
}

function describe(others: readonly BackendSlots[]): Alternatives {
  const usable = others.filter((slots) => !slots.isPaused && (!slots.isShut() || slots.admits() !== 'no'))
  return { exist: usable.length > 0, areReady: usable.some((slots) => isReady(slots)) }
}

/** Not known to be away: one that was never asked is worth a call before a dead one is asked again. */
const isReady = (slots: BackendSlots) => ['ready', 'busy', 'unknown'].includes(slots.stateName())

/** The caller has its outcome, the backend is still at work: the slot stays taken, and shows as stuck in time. */
async function holdUntil(
  settled: Promise<void>,
  slots: BackendSlots,
  { clock, tuning, observer }: Pick<ResolvedOptions, 'clock' | 'tuning' | 'observer'>,
): Promise<void> {
  const since = clock.now()
  let isStuck = false
  const timer = clock.setTimer(() => {
    isStuck = true
    slots.become(onStuck(slots.status))
  }, tuning.stuckAfterMs)
  await settled
  timer.cancel()
  if (isStuck) slots.become(onUnstuck(slots.status))
  observer?.abandonedCallStopped({ backend: slots.name, afterMs: clock.now() - since })
}

/** After these failures, a restarted server may give the next answer. */
const CONNECTION_LOST: ReadonlySet<BackendErrorKind> = new Set([
  ...(['connect', 'disconnected', 'dead', 'interrupted', 'lost', 'stalled'] as const),
])

/** Up to so much longer, so that two programs that share a server do not come back together. */
const BUSY_JITTER = 0.2

/** A longer pause may be a mistake of the server, or a trick: a sight of it idle ends that one. */
const LONGEST_TOLD_MS = 60_000

function statusAfter(
  status: BackendStatus,
  failed: CallFailure,
  { now, random }: { readonly now: number; readonly random: () => number },
): BackendStatus {
  const { isBusy, kind, code, retryAfterMs } = failed
  if (isBusy) {
    const forMs = (retryAfterMs ?? status.options.busyHoldMs) * (1 + BUSY_JITTER * random())
    return onBusy(status, now, {
      forMs,
      isTold: (retryAfterMs ?? Number.POSITIVE_INFINITY) <= LONGEST_TOLD_MS,
    })
  }
  // A bug of ours or of an adapter says nothing of the server.
  if (code === 'internal_error') return status
  const heard = kind ? onCallFailed(status, now, kind) : onAnswered(status, now)
  if (code === 'api_authentication_error') return onUnusable(heard, 'unauthorised')
  return kind === 'no_model' ? onUnusable(heard, 'no_model') : heard
}
