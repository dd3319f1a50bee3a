import type { Clock } from '@ai-ticket/core'

/** Both its clocks, and its timers, move only by `advance`. */
export interface VirtualClock extends Clock {
  /**
   * Moves the time on and fires what is due, in order. What a timer sets in motion (promises, and callbacks of
   * `setImmediate`) runs before the next one fires. It does not wait for answers of real sockets.
   */
  advance(ms: number): Promise<void>
  /** Timers that are set and have not fired. */
  readonly pending: number
}

/** For `createVirtualClock`. */
export interface VirtualClockOptions {
  /** Wall clock at the start, milliseconds since 1970. Default 2026-01-01T00:00:00Z. */
  readonly startAt?: number
  /**
   * Resolves when all that a timer has set in motion has run. Default: three turns of the event loop, which leaves time for
   * callbacks of `setImmediate`. Give a cheaper one where only promises are waited for, or one that waits for more.
   */
  readonly settle?: () => Promise<void>
}

interface VirtualTimer {
  readonly at: number
  readonly callback: () => void
}

/** A clock that stands still until `advance` moves it. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const { startAt = Date.UTC(2026, 0, 1), settle = threeTurns } = options
  const timers = new Set<VirtualTimer>()
  let time = 0
  const nextDue = (until: number): VirtualTimer | undefined => {
    let next: VirtualTimer | undefined
    for (const timer of timers) {
      if (timer.at <= until && (!next || timer.at < next.at)) next = timer
    }
    return next
  }
  return {
    now: () => time,
    wallTime: () => startAt + time,
    setTimer(callback, delayMs) {
      const timer = { at: time + Math.max(0, delayMs), callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    async advance(ms) {
      const until = time + ms
      await settle()
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        time = Math.max(time, timer.at)
        timers.delete(timer)
        timer.callback()
        await settle()
      }
      time = until
      await settle()
    },
    get pending() {
      return timers.size
    },
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function threeTurns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
