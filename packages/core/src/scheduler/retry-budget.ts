const BUCKET_MS = 1000

export interface RetryBudgetOptions {
  /** Length of the window, in milliseconds. Default 60,000. */
  readonly windowMs?: number
  /** Largest part of the calls of the window that may be repeats. Default 0.2. */
  readonly share?: number
  /** So many repeats are always allowed in a window. Default 10. */
  readonly floor?: number
}

/** How often one backend may be asked again on the same endpoint, so that repeats never become the load. */
export interface RetryBudget {
  /** Counts a call to the backend. Call it for repeats, too. */
  recordCall(now: number): void
  /** Takes one repeat out of the budget; false, and nothing taken, where none is left. */
  tryRepeat(now: number): boolean
  /** True: `tryRepeat` would refuse. */
  spent(now: number): boolean
  /** Repeats that are left in the window. */
  left(now: number): number
  /** Other bounds from here on. What was counted still counts, as far as a shorter window reaches back. */
  change(options: Required<RetryBudgetOptions>): void
}

/**
 * A sliding window counted in buckets of one second, in constant memory. Where a second lies on the edge of the
 * window, its repeats still count and its calls no longer do: the limit is never passed, and a repeat may come back
 * up to one second late. Only repeats on the same endpoint are asked for here; going on to the next endpoint or
 * backend costs nothing.
 */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { windowMs = 60_000 } = options
  let { share = 0.2, floor = 10 } = options
  let calls = slidingCount(secondsOf(windowMs))
  let repeats = slidingCount(secondsOf(windowMs) + 1)
  const allowed = (now: number) => Math.max(floor, share * calls.total(now))
  const spent = (now: number) => repeats.total(now) + 1 > allowed(now)
  return {
    recordCall: (now) => calls.add(now),
    spent,
    left: (now) => Math.max(0, Math.floor(allowed(now) - repeats.total(now))),
    tryRepeat(now) {
      if (spent(now)) return false
      repeats.add(now)
      return true
    },
    change(changed) {
      share = changed.share
      floor = changed.floor
      calls = calls.over(secondsOf(changed.windowMs))
      repeats = repeats.over(secondsOf(changed.windowMs) + 1)
    },
  }
}

const secondsOf = (windowMs: number) => Math.max(1, Math.floor(windowMs / BUCKET_MS))

/** Part of the floor of a backend: what one event may need at three endpoints. */
const CALLER_FLOOR = 0.6
/** Of so many callers the budgets are remembered. */
const MOST_CALLERS = 1_000

/**
 * A budget for each caller, beside those of the backends: clients repeat what has failed, and each of their repeats would
 * bring all of ours again. `of` is undefined for a caller without a name.
 */
export function createCallerBudgets(options: Required<RetryBudgetOptions>) {
  const budgets = new Map<string, RetryBudget>()
  let own = ofCaller(options)
  return {
    of(caller: string): RetryBudget | undefined {
      if (caller === '') return undefined
      const budget = budgets.get(caller) ?? createRetryBudget(own)
      // The latest is the last to go.
      budgets.delete(caller)
      budgets.set(caller, budget)
      const oldest = budgets.size > MOST_CALLERS ? budgets.keys().next() : undefined
      if (oldest && !oldest.done) budgets.delete(oldest.value)
      return budget
    },
    change(changed: Required<RetryBudgetOptions>): void {
      own = ofCaller(changed)
      for (const budget of budgets.values()) budget.change(own)
    },
  }
}

const ofCaller = (options: Required<RetryBudgetOptions>) => ({
  ...options,
  floor: Math.ceil(options.floor * CALLER_FLOOR),
})

/** Counts what happened in the last `size` buckets, the one that `now` lies in included. */
interface SlidingCount {
  add(now: number): void
  total(now: number): number
  /** The same over another number of buckets. */
  over(other: number): SlidingCount
}

function slidingCount(size: number): SlidingCount {
  return countingFrom(new Uint32Array(size), 0)
}

function countingFrom(counts: Uint32Array, last: number): SlidingCount {
  const size = counts.length
  let newest = last
  let sum = counts.reduce((one, other) => one + other, 0)
  const advance = (now: number) => {
    const bucket = Math.floor(now / BUCKET_MS)
    // After a long rest every bucket is old: clearing each once is enough.
    for (let next = Math.max(newest + 1, bucket - size + 1); next <= bucket; next += 1) {
      sum -= counts[next % size] ?? 0
      counts[next % size] = 0
    }
    newest = Math.max(newest, bucket)
  }
  return {
    add(now: number) {
      advance(now)
      counts[newest % size] = (counts[newest % size] ?? 0) + 1
      sum += 1
    },
    total(now: number) {
      advance(now)
      return sum
    },
    over(other) {
      const copy = new Uint32Array(other)
      for (let bucket = Math.max(0, newest - Math.min(size, other) + 1); bucket <= newest; bucket += 1) {
        copy[bucket % other] = counts[bucket % size] ?? 0
      }
      return countingFrom(copy, newest)
    },
  }
}
