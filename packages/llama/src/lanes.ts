/** Something that only one may use at a time, several of them, and who waits for one. */
export interface Lanes<Lane> {
  /** Resolves when a lane is free, in order of asking. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Lane>
  give(lane: Lane): void
  readonly busy: number
  readonly waiting: number
}

interface Waiter<Lane> {
  proceed(lane: Lane): void
}

export function createLanes<Lane>(lanes: readonly Lane[]): Lanes<Lane> {
  const free = [...lanes]
  const waiters: Waiter<Lane>[] = []
  return {
    get busy() {
      return lanes.length - free.length
    },
    get waiting() {
      return waiters.length
    },
    take(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const lane = free.shift()
        if (lane !== undefined) return resolve(lane)
        const waiter: Waiter<Lane> = {
          proceed(lane) {
            signal.removeEventListener('abort', leave)
            resolve(lane)
          },
        }
        const leave = () => {
          waiters.splice(waiters.indexOf(waiter), 1)
          reject(signal.reason)
        }
        signal.addEventListener('abort', leave, { once: true })
        waiters.push(waiter)
      })
    },
    give(lane) {
      const next = waiters.shift()
      if (next) next.proceed(lane)
      else free.push(lane)
    },
  }
}
