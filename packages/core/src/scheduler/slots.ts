/** How many calls one backend has in hand, and that there are never more than it can do. */
export interface Slots {
  readonly concurrency: number
  readonly inFlight: number
  /** Takes one; false, and nothing taken, where all are taken. */
  take(): boolean
  /** Gives one back. Throws where none is taken: that is a bug which would let in one call too many later. */
  release(): void
}

/** `concurrency`: how many calls the backend does at once; a whole number from 1. */
export function createSlots(concurrency: number): Slots {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number from 1, not ${concurrency}`)
  }
  let inFlight = 0
  return {
    concurrency,
    get inFlight() {
      return inFlight
    },
    take() {
      if (inFlight >= concurrency) return false
      inFlight += 1
      return true
    },
    release() {
      if (inFlight === 0) throw new Error('A slot was released that was not taken.')
      inFlight -= 1
    },
  }
}
