/** A timer that can be taken back. */
export interface Timer {
  /** Takes it back. Does nothing once it has fired. */
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

/** The time of this machine. `createVirtualClock` of `@ai-ticket/testkit` is one for tests. */
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

/**
 * Hands the work a signal that fires after `timeoutMs`, or with `signal`. The work has to obey it: this does not stop
 * waiting by itself. `isLate` tells afterwards whether it was the time that was up.
 */
export async function withTimeout<Value>(
  clock: Clock,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  work: (signal: AbortSignal, isLate: () => boolean) => Promise<Value>,
): Promise<Value> {
  const late = new AbortController()
  const timer = clock.setTimer(() => late.abort(), timeoutMs)
  try {
    return await work(
      signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      () => late.signal.aborted,
    )
  } finally {
    timer.cancel()
  }
}

export const ABORTED = Symbol('aborted')

/**
 * Waits for the promise, or for the signal. Listens only while it waits; what an abandoned promise rejects with is
 * dropped.
 */
export async function untilAborted<Value>(
  pending: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | typeof ABORTED> {
  const patience = untilSignal(signal)
  try {
    return await patience.wait(pending)
  } finally {
    patience.end()
  }
}

export interface Patience {
  wait<Value>(pending: Promise<Value>): Promise<Value | typeof ABORTED>
  /** Listens no more. */
  end(): void
}

/** The same for many promises, one at a time, with a single listener. */
export function untilSignal(signal: AbortSignal): Patience {
  let giveUp: (() => void) | undefined
  const onAbort = () => giveUp?.()
  signal.addEventListener('abort', onAbort, { once: true })
  return {
    wait<Value>(pending: Promise<Value>) {
      if (signal.aborted) {
        pending.catch(ignore)
        return Promise.resolve<typeof ABORTED>(ABORTED)
      }
      return new Promise<Value | typeof ABORTED>((resolve, reject) => {
        giveUp = () => resolve(ABORTED)
        pending.then(resolve, reject)
      })
    },
    end: () => signal.removeEventListener('abort', onAbort),
  }
}

const ignore = () => {}
