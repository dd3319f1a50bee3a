/** A timer that can be taken back. */
export interface Timer {
  cancel(): void
}

/** The only source of time in the library, so that a test can hold it. All times are milliseconds. */
export interface Clock {
  /** Monotonic, for durations. */
  now(): number
  /** Wall clock, milliseconds since 1970. */
  wallTime(): number
  /** Calls back once after the delay. Never before; a negative delay counts as zero. */
  setTimer(callback: () => void, delayMs: number): Timer
}

/** Longer delays overflow Node's timers and would fire at once. */
const MAX_TIMER_MS = 2_147_483_647

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS))
    return { cancel: () => clearTimeout(timer) }
  },
}

/** Resolves after the delay; rejects with the reason of the signal as soon as that aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.setTimer(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
