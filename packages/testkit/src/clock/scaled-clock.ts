import type { Clock } from '@ai-ticket/core'

/** At most this much of a standstill counts, in milliseconds of the machine. */
const LONGEST_STEP_MS = 25

interface ScaledTimer {
  readonly at: number
  readonly callback: () => void
}

/**
 * A clock that runs `factor` times faster than the machine's, for tests in which real sockets meet pauses of minutes.
 * Choose the factor so that a loopback exchange stays short compared with the shortest pause that matters.
 *
 * While the process itself stands still, as on a busy machine, the clock does too: of each standstill 25 ms count at
 * most. So a pause of minutes does not pass before a reply that is already there has been read.
 */
export function createScaledClock(factor: number): Clock {
  const timers = new Set<ScaledTimer>()
  let time = 0
  let seenAt = performance.now()
  let ticker: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined
  const catchUp = (): number => {
    const now = performance.now()
    time += Math.min(now - seenAt, LONGEST_STEP_MS) * factor
    seenAt = now
    return time
  }
  const tick = () => {
    ticker = undefined
    const now = catchUp()
    const due = [...timers].filter(({ at }) => at <= now).sort((one, other) => one.at - other.at)
    for (const timer of due) if (timers.delete(timer)) timer.callback()
    for (const { at } of timers) wakeAt(at)
  }
  /** Wakes at that time, or a step before it. */
  const wakeAt = (at: number) => {
    const wanted = Math.min(at, time + LONGEST_STEP_MS * factor)
    if (ticker && ticker.at <= wanted) return
    clearTimeout(ticker?.handle)
    ticker = { handle: setTimeout(tick, Math.max(0, wanted - time) / factor), at: wanted }
  }
  return {
    now: catchUp,
    wallTime: () => Date.UTC(2026, 0, 1) + catchUp(),
    setTimer(callback, delayMs) {
      const timer = { at: catchUp() + Math.max(0, delayMs), callback }
      timers.add(timer)
      wakeAt(timer.at)
      return {
        cancel() {
          timers.delete(timer)
          if (timers.size > 0) return
          clearTimeout(ticker?.handle)
          ticker = undefined
        },
      }
    },
  }
}
