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
