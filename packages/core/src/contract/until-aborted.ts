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

/** The same for many promises, one at a time, without listening anew for each of them. */
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
