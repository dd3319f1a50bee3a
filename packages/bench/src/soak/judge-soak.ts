import type { Holdings } from './ask-inside.ts'
import { type Trend, trendOf } from './trend.ts'

export interface Sample extends Holdings {
  /** From the start of the load, in milliseconds. */
  readonly atMs: number
}

export interface SoakLimits {
  /** Growth of the heap in MB (1,000,000 bytes) a minute that must not be certain. */
  readonly heapMbPerMinute: number
  readonly loopP99Ms: number
}

export interface SoakSeries {
  /** Under load, without the warm-up. */
  readonly samples: readonly Sample[]
  /** While nothing runs and no connection is open: before the load and after it. */
  readonly restBefore: Holdings
  readonly restAfter: Holdings
}

export interface SoakVerdict {
  /** In MB a minute. */
  readonly heap: Trend
  readonly rss: Trend
  /** In resources a minute. */
  readonly handles: Trend
  readonly loopP99Ms: number
  readonly problems: readonly string[]
}

/** A timer or two come and go with the housekeeping of the server. */
const COMING_AND_GOING = 4
const MINUTE_MS = 60_000

export function judgeSoak({ samples, restBefore, restAfter }: SoakSeries, limits: SoakLimits): SoakVerdict {
  const trend = (value: (sample: Sample) => number) =>
    trendOf(samples.map((sample) => ({ x: sample.atMs / MINUTE_MS, y: value(sample) })))
  const heap = trend(({ heapUsed }) => heapUsed / 1e6)
  const loopP99Ms = samples.at(-1)?.loopP99Ms ?? Number.NaN
  const warnings = restAfter.listenerWarnings
  const grownHandles = handlesOf(restAfter) - handlesOf(restBefore)
  const grownListeners = restAfter.listeners - restBefore.listeners
  const problems = [
    ...(Number.isFinite(heap.low) ? [] : [`${samples.length} samples are too few to see a slope`]),
    ...(heap.low > limits.heapMbPerMinute
      ? [`the heap grows by at least ${heap.low.toFixed(2)} MB a minute`]
      : []),
    ...(grownHandles > COMING_AND_GOING
      ? [`${grownHandles} handles more at rest than before: ${growth(restBefore, restAfter)}`]
      : []),
    ...(grownListeners > 0 ? [`${grownListeners} listeners more on the process than before`] : []),
    ...(warnings > 0 ? [`Node warned ${warnings} times of too many listeners`] : []),
    ...(loopP99Ms <= limits.loopP99Ms
      ? []
      : [`1 % of the turns of the event loop are later than ${loopP99Ms.toFixed(1)} ms`]),
  ]
  return {
    heap,
    rss: trend(({ rss }) => rss / 1e6),
    handles: trend(handlesOf),
    loopP99Ms,
    problems,
  }
}

export const handlesOf = ({ handles }: Holdings): number =>
  Object.values(handles).reduce((sum, count) => sum + count, 0)

function growth(before: Holdings, after: Holdings): string {
  const grown = Object.entries(after.handles).filter(([name, count]) => count > (before.handles[name] ?? 0))
  return grown.map(([name, count]) => `${name} ${before.handles[name] ?? 0} → ${count}`).join(', ')
}

/** Whether the account at rest is no worse than before, so that nobody need wait any longer. */
export const isAtRest = (now: Holdings, before: Holdings): boolean =>
  handlesOf(now) - handlesOf(before) <= COMING_AND_GOING && now.listeners <= before.listeners
