/** For the methods of simulators that wait for something. */
export interface WaitOptions {
  /** Gives up, with an error, after this time. Default 30,000. */
  readonly timeoutMs?: number
}

/** Promises that resolve once something has happened. */
export function createWatch() {
  const checks = new Set<() => void>()
  return {
    changed() {
      if (checks.size === 0) return
      for (const check of [...checks]) check()
    },
    until(holds: () => boolean, what: string, { timeoutMs = 30_000 }: WaitOptions = {}): Promise<void> {
      return new Promise((resolve, reject) => {
        const check = () => {
          if (!holds()) return
          stop()
          resolve()
        }
        const timer = setTimeout(() => {
          stop()
          reject(new Error(`The simulator waited ${timeoutMs} ms for ${what}, and it did not come.`))
        }, timeoutMs)
        const stop = () => {
          clearTimeout(timer)
          checks.delete(check)
        }
        checks.add(check)
        check()
      })
    },
  }
}

export type Watch = ReturnType<typeof createWatch>
