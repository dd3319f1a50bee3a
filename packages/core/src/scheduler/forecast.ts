import type { Clock } from '../contract/clock.ts'
import type { Failure } from '../contract/failure.ts'
import type { Prompt } from '../contract/prompt.ts'
import type { Work } from '../event/run.ts'
import type { BackendSlots } from './backend-slots.ts'
import type { Waiter, WaitingLine } from './waiting-line.ts'

/** One that waits, or would: with its work, and the backends behind the names. */
export interface ForecastWaiter extends Waiter {
  readonly work: Work
  readonly allowed: readonly BackendSlots[]
  readonly prompt: Prompt
  readonly model: string | undefined
  readonly answerSchema: { readonly schema: unknown } | undefined
  readonly deadlineAt: number
  /** Of its prompt, likely tokens that need not be read when its turn comes. */
  readonly savedTokens: number
}

/** A slot in use. */
export interface TakenSlot {
  readonly slots: BackendSlots
  readonly work: Work
  /** Of its prompt, likely tokens that were not read. */
  readonly savedTokens: number
  /** Before it begins to read; undefined: nobody knows how long its model takes to load. */
  readonly loadMs: number | undefined
  readonly startedAt: number
}

/** Says when a waiter is likely to start, by the speeds learned. Silent before a speed is learned. */
export interface Forecast {
  /** A deadline that cannot be met is refused at once, instead of costing GPU time in vain. */
  refusal(waiter: ForecastWaiter, deadlineAt: number): Failure | undefined
  /** When an ordinary event that came now would start, in milliseconds. */
  newcomerStartsInMs(allowed: readonly BackendSlots[]): number | undefined
  /** What to tell whom a full line turns away, in milliseconds. */
  fullLineRetryMs(allowed: readonly BackendSlots[]): number
}

export function createForecast({
  line,
  taken,
  clock,
  inGroups,
}: {
  readonly line: Pick<WaitingLine<ForecastWaiter>, 'ahead' | 'waiting'>
  readonly taken: Iterable<TakenSlot>
  readonly clock: Clock
  /** Whether events for one model are served together, so that a server loads it once. */
  readonly inGroups: () => boolean
}): Forecast {
  const isTrial = createTrials(clock)
  const workMs = ({ allowed, work, savedTokens, model }: ForecastWaiter, loads: Loads) =>
    shortest(allowed.map((slots) => plus(slots.workMs(work, savedTokens), loads(slots, model))))

  /** The work left in each slot of these backends; undefined where it is not known. */
  function slotTimes(allowed: readonly BackendSlots[]): (number | undefined)[] {
    const times: (number | undefined)[] = []
    for (const { slots, work, savedTokens, loadMs, startedAt } of taken) {
      if (!allowed.includes(slots)) continue
      const inAll = plus(slots.workMs(work, savedTokens), loadMs)
      times.push(inAll === undefined ? undefined : Math.max(0, startedAt + inAll - clock.now()))
    }
    for (const { inFlight, concurrency } of allowed) {
      for (let free = inFlight; free < concurrency; free++) times.push(0)
    }
    return times
  }

  function startsAfter(
    ahead: () => readonly ForecastWaiter[],
    allowed: readonly BackendSlots[],
    loads: Loads = createLoads(inGroups()),
  ): number | undefined {
    if (allowed.some(({ isFree }) => isFree)) return 0
    const works = ahead().map((waiter) => workMs(waiter, loads))
    return startsInMs({ slots: slotTimes(allowed), ahead: works })
  }

  return {
    newcomerStartsInMs: (allowed) => startsAfter(() => line.waiting(), allowed),
    refusal(waiter, deadlineAt) {
      if (waiter.allowed.every((slots) => slots.workMs(waiter.work) === undefined)) return undefined
      const loads = createLoads(inGroups())
      const retryAfterMs = refusalMs({
        startsMs: startsAfter(() => line.ahead(waiter, clock.now()), waiter.allowed, loads),
        workMs: workMs(waiter, loads),
        timeLeftMs: deadlineAt - clock.now(),
      })
      return retryAfterMs === undefined || isTrial(waiter, line) ? undefined : { ...TOO_LATE, retryAfterMs }
    },
    fullLineRetryMs: (allowed) => fullLineRetryMs(slotTimes(allowed)),
  }
}

const TRIAL_EVERY_MS = 60_000

/**
 * A learned speed may be wrong, and events that are refused teach nothing: at an idle backend, with nobody before the
 * waiter, one event a minute is tried whatever the speed says.
 */
function createTrials(clock: Clock) {
  let triedAt = Number.NEGATIVE_INFINITY
  return (waiter: ForecastWaiter, line: Pick<WaitingLine<ForecastWaiter>, 'ahead'>): boolean => {
    const now = clock.now()
    const isIdle = waiter.allowed.some(({ inFlight }) => inFlight === 0)
    if (!isIdle || now - triedAt < TRIAL_EVERY_MS || line.ahead(waiter, now).length > 0) return false
    triedAt = now
    return true
  }
}

const TOO_LATE: Failure = {
  code: 'capacity_exceeded',
  details:
    'At the speed learned so far the answer would come after the deadline; raise `timeout_ms` or come back later.',
}

/** How long a backend loads before it serves the next of several events: undefined, nobody knows. */
type Loads = (slots: BackendSlots, model: string | undefined) => number | undefined

export function createLoads(inGroups: boolean): Loads {
  const loaded = new Map<BackendSlots, readonly string[]>()
  return (slots, model) => {
    const { shelf } = slots
    const name = shelf && slots.modelOf(model)
    if (!shelf || name === undefined) return 0
    const before = loaded.get(slots) ?? shelf.loaded
    const after = [...before.filter((other) => other !== name), name]
    loaded.set(slots, inGroups ? after : after.slice(-shelf.room))
    return before.includes(name) ? 0 : shelf.learnedMs(name)
  }
}

export const plus = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? undefined : one + other

/** Undefined as soon as one of them is not known. */
const shortest = (times: readonly (number | undefined)[]): number | undefined =>
  times.reduce(
    (least, time) => (least === undefined || time === undefined ? undefined : Math.min(least, time)),
    Number.POSITIVE_INFINITY,
  )

/** Told where nobody can say when a place will be free. */
const UNKNOWN_RETRY_MS = 5000
/** A header of whole seconds cannot say less. */
const LEAST_RETRY_MS = 1000

/**
 * When a waiter is likely to start, in milliseconds from now. `slots`: what is left to do in each slot that may serve
 * it, 0 for a free one; `ahead`: the work of those before it, in order. Undefined: some of it is not known, or there
 * is no slot.
 */
export function startsInMs({
  slots,
  ahead,
}: {
  readonly slots: readonly (number | undefined)[]
  readonly ahead: readonly (number | undefined)[]
}): number | undefined {
  const freeInMs = slots.filter((leftMs) => leftMs !== undefined)
  if (freeInMs.length === 0 || freeInMs.length < slots.length) return undefined
  for (const workMs of ahead) {
    if (workMs === undefined) return undefined
    const next = Math.min(...freeInMs)
    freeInMs[freeInMs.indexOf(next)] = next + workMs
  }
  return Math.min(...freeInMs)
}

/** For showing: whole seconds, rounded up. */
export const etaSeconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.ceil(ms / 1000)

/**
 * Whether a deadline cannot be met: how long to come back later, in milliseconds, or undefined where it can be met or
 * where a speed is not learned yet. An event too long for its own deadline on an idle desk is refused as well.
 */
export function refusalMs({
  startsMs,
  workMs,
  timeLeftMs,
}: {
  readonly startsMs: number | undefined
  readonly workMs: number | undefined
  readonly timeLeftMs: number
}): number | undefined {
  if (startsMs === undefined || workMs === undefined || startsMs + workMs <= timeLeftMs) return undefined
  // Only the wait grows shorter with time; the work does not.
  return wholeSeconds(Math.min(startsMs, startsMs + workMs - timeLeftMs))
}

/** What a full line tells: when the first slot, and so the first place, is likely to be free. */
export function fullLineRetryMs(slots: readonly (number | undefined)[]): number {
  const known = slots.filter((leftMs) => leftMs !== undefined)
  return known.length === 0 ? UNKNOWN_RETRY_MS : wholeSeconds(Math.min(...known))
}

const wholeSeconds = (ms: number) => Math.max(LEAST_RETRY_MS, Math.ceil(ms / 1000) * 1000)
