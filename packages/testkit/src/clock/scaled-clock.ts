import type { Clock } from '@ai-ticket/core'

/**
 * A clock that runs `factor` times faster than the machine's, for tests in which real sockets meet pauses of minutes.
 * Choose the factor so that a loopback exchange stays short compared with the shortest pause that matters.
 */
export function createScaledClock(factor: number): Clock {
  const start = performance.now()
  const now = () => (performance.now() - start) * factor
  return {
    now,
    wallTime: () => Date.UTC(2026, 0, 1) + now(),
    setTimer(callback, delayMs) {
      const timer = setTimeout(callback, Math.max(0, delayMs) / factor)
      return { cancel: () => clearTimeout(timer) }
    },
  }
}
