/** A clock whose timers only the test fires. */
export function handClock() {
  const timers = new Set<{ readonly callback: () => void; readonly delayMs: number }>()
  return {
    now: () => 0,
    wallTime: () => 1_767_225_600_000,
    setTimer(callback: () => void, delayMs: number) {
      const timer = { callback, delayMs }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    get delays() {
      return [...timers].map(({ delayMs }) => delayMs)
    },
    fire() {
      for (const timer of [...timers]) {
        timers.delete(timer)
        timer.callback()
      }
    },
  }
}
