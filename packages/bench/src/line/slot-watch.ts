/** Counts what runs at one backend, and how long it takes there. */
export interface SlotWatch {
  readonly mostRunning: number
  readonly serviceMs: readonly number[]
  /** Something has begun; returns its end. */
  begin(): () => void
}

export function createSlotWatch(): SlotWatch {
  const serviceMs: number[] = []
  let running = 0
  let mostRunning = 0
  return {
    get mostRunning() {
      return mostRunning
    },
    serviceMs,
    begin() {
      const startedAt = performance.now()
      running += 1
      mostRunning = Math.max(mostRunning, running)
      return () => {
        running -= 1
        serviceMs.push(performance.now() - startedAt)
      }
    },
  }
}
