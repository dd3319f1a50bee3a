export const ABORTED = Symbol('aborted')

/**
 * Waits for the promise, or for the signal. Listens only while it waits, so that a long stream does not pile up
 * listeners; what an abandoned promise rejects with is dropped.
 */
export function untilAborted<Value>(
  pending: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | typeof ABORTED> {
  if (signal.aborted) {
    pending.catch(ignore)
    return Promise.resolve(ABORTED)
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(ABORTED)
    signal.addEventListener('abort', onAbort, { once: true })
    const done = () => signal.removeEventListener('abort', onAbort)
    pending.then(
      (value) => {
        done()
        resolve(value)
      },
      (error: unknown) => {
        done()
        reject(error)
      },
    )
  })
}

const ignore = () => {}
