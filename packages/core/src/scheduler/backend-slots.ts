import { type Backend, BackendError, type BackendState } from '../contract/backend.ts'
import { ABORTED, untilAborted } from '../contract/clock.ts'
import type { BackendHealth, BackendReport } from '../contract/dispatcher.ts'
import type { Logger } from '../contract/logger.ts'
import type { BackendEntry, ResolvedOptions } from '../contract/options.ts'
import type { Usage } from '../contract/outcome.ts'
import type { Work } from '../event/run.ts'
import {
  admits,
  type BackendStateName,
  type BackendStatus,
  initialStatus,
  isOnTrial,
  isOpen,
  onProbe,
  stateAt,
} from './backend-state.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import type { RoutableBackend } from './route.ts'
import { estimateMs, learnFromCall, tokenTimes, unknownSpeed } from './speed-estimate.ts'

/** One backend at the desk: its slots, its retry budget, and what is known of it. */
export interface BackendSlots extends RoutableBackend {
  readonly backend: Backend
  readonly slots: Slots
  readonly budget: RetryBudget
  status: BackendStatus
  /** What the last successful probe said. */
  seen: BackendState | undefined
  stateName(): BackendStateName
  /** Whether an event may be sent there: breaker, loading and busy holds, not slots. */
  admits(): 'yes' | 'trial' | 'no'
  /** Its breaker is open and nobody is trying it. */
  isShut(): boolean
  change(status: BackendStatus): void
  /** Asks the backend how it is. One question at a time; answers younger than `maxAgeMs` are taken as they are. */
  look(maxAgeMs: number): Promise<void>
  /** Learns from a whole answer. */
  finished(sample: CallSample): void
  /** How long the work is likely to take here, in milliseconds; undefined before a speed is learned. */
  workMs(work: Work): number | undefined
  health(): BackendHealth
  report(): BackendReport
}

/** What a whole answer took. */
export interface CallSample {
  readonly usage: Usage | undefined
  /** Of the call alone, without waiting and earlier attempts. */
  readonly durationMs: number
  readonly firstTokenMs: number | undefined
  readonly maxTokens: number
}

/** Weight of the newest answer in the average. */
const LATENCY_WEIGHT = 0.3

export function createBackendSlots(
  entry: Required<BackendEntry>,
  { clock, logger, tuning }: ResolvedOptions,
  onChange: () => void,
): BackendSlots {
  const { backend } = entry
  const slots = createSlots(entry.concurrency)
  const aliases = Object.keys(entry.aliases)
  let lookedAt = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  let problem: string | undefined
  let latencyMs: number | undefined
  let speed = unknownSpeed

  async function look(): Promise<void> {
    const found = await probe(backend, clock, tuning.probeTimeoutMs)
    lookedAt = clock.now()
    problem = found instanceof BackendError ? found.message : undefined
    if (!(found instanceof BackendError)) backendSlots.seen = found
    backendSlots.change(onProbe(backendSlots.status, lookedAt, found))
  }

  const backendSlots: BackendSlots = {
    backend,
    name: backend.name,
    aliases: entry.aliases,
    slots,
    get models() {
      return backendSlots.seen?.models ?? []
    },
    get probed() {
      return lookedAt !== Number.NEGATIVE_INFINITY
    },
    get inFlight() {
      return slots.inFlight
    },
    get concurrency() {
      return slots.concurrency
    },
    get recentLatencyMs() {
      return latencyMs
    },
    budget: createRetryBudget({
      windowMs: tuning.retryBudgetWindowMs,
      share: tuning.retryBudgetRatio,
      floor: tuning.retryBudgetFloor,
    }),
    status: initialStatus({
      failuresToOpen: tuning.breakerFailures,
      openMs: tuning.breakerOpenMs,
      maxOpenMs: tuning.breakerMaxOpenMs,
      loadingGraceMs: tuning.loadingGraceMs,
    }),
    seen: undefined,
    stateName: () => stateAt(backendSlots.status, clock.now(), slots),
    admits: () => admits(backendSlots.status, clock.now()),
    isShut: () =>
      isOpen(backendSlots.status) &&
      !isOnTrial(backendSlots.status) &&
      backendSlots.stateName() !== 'loading',
    change(status) {
      const before = backendSlots.stateName()
      backendSlots.status = status
      sayChange(logger, backend.name, before, backendSlots.stateName())
      onChange()
    },
    look(maxAgeMs) {
      if (looking) return looking
      if (clock.now() - lookedAt < maxAgeMs) return Promise.resolve()
      looking = look().finally(() => {
        looking = undefined
      })
      return looking
    },
    finished({ usage, durationMs, firstTokenMs, maxTokens }) {
      if (usage) {
        speed = learnFromCall(speed, {
          promptTokens: usage.prompt_tokens,
          completionTokens: usage.completion_tokens,
          durationMs,
          maxTokens,
          ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
        })
      }
      const before = latencyMs ?? durationMs
      latencyMs = before + LATENCY_WEIGHT * (durationMs - before)
    },
    workMs: ({ promptTokens, maxTokens }) => estimateMs(speed, { promptTokens, maxTokens }),
    health() {
      const { seen } = backendSlots
      return {
        name: backend.name,
        state: backendSlots.stateName(),
        models: [...(seen?.models ?? [])],
        ...(aliases.length === 0 ? {} : { aliases }),
        ...(seen?.contextLength === undefined ? {} : { context_length: seen.contextLength }),
        ...(seen?.version === undefined ? {} : { version: seen.version }),
        concurrency: slots.concurrency,
        in_flight: slots.inFlight,
        ...(problem === undefined ? {} : { details: problem }),
      }
    },
    report() {
      const speeds = tokenTimes(speed)
      return {
        ...backendSlots.health(),
        breaker: isOnTrial(backendSlots.status) ? 'trial' : isOpen(backendSlots.status) ? 'open' : 'closed',
        repeats_left: backendSlots.budget.left(clock.now()),
        ...(latencyMs === undefined ? {} : { latency_ms: Math.round(latencyMs) }),
        ...(speeds && {
          prompt_tokens_per_second: perSecond(speeds.readMs),
          completion_tokens_per_second: perSecond(speeds.writtenMs),
        }),
      }
    },
  }
  return backendSlots
}

const perSecond = (milliseconds: number) => Math.round(10_000 / milliseconds) / 10

/** What the backend says of itself, or why it does not. Never throws: every way of failing is an answer here. */
async function probe(
  backend: Backend,
  clock: ResolvedOptions['clock'],
  timeoutMs: number,
): Promise<BackendState | BackendError> {
  const control = new AbortController()
  const timer = clock.setTimer(() => control.abort(), timeoutMs)
  const silent = () =>
    new BackendError('dead', `${backend.name} did not say how it is within ${timeoutMs} ms.`)
  try {
    // An adapter that does not obey its signal must not blind the desk.
    const state = await untilAborted(backend.probe(control.signal), control.signal)
    return state === ABORTED ? silent() : state
  } catch (error) {
    if (control.signal.aborted) return silent()
    if (error instanceof BackendError) return error
    return new BackendError('wrong_shape', `${backend.name} could not be probed.`, { cause: error })
  } finally {
    timer.cancel()
  }
}

/** Busy and ready alternate with every event; only what an operator would act on is told. */
function sayChange(logger: Logger, backend: string, before: BackendStateName, after: BackendStateName): void {
  if (before === after) return
  if (after === 'down' || after === 'stuck' || after === 'loading') {
    logger.warn(`backend is ${after}`, { backend })
  } else if (before === 'down' || before === 'stuck' || before === 'loading') {
    logger.info(`backend is ${after} again`, { backend })
  }
}

/** How many calls one backend has in hand, and that there are never more than it can do. */
export interface Slots {
  readonly concurrency: number
  readonly inFlight: number
  /** Takes one; false, and nothing taken, where all are taken. */
  take(): boolean
  /** Gives one back. Throws where none is taken: that is a bug which would let in one call too many later. */
  release(): void
}

/** `concurrency`: how many calls the backend does at once; a whole number from 1. */
export function createSlots(concurrency: number): Slots {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number from 1, not ${concurrency}`)
  }
  let inFlight = 0
  return {
    concurrency,
    get inFlight() {
      return inFlight
    },
    take() {
      if (inFlight >= concurrency) return false
      inFlight += 1
      return true
    },
    release() {
      if (inFlight === 0) throw new Error('A slot was released that was not taken.')
      inFlight -= 1
    },
  }
}
