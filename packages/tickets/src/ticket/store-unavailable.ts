/** `locked`: another process has the store. `broken`: the file is no database, or damaged. */
export type StoreProblem = 'locked' | 'full' | 'read_only' | 'broken' | 'unreachable' | 'closed'

/** The store could not do it, and nothing has changed. The message says what failed and what to do. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  readonly code = 'store_unavailable'
  readonly problem: StoreProblem

  constructor(problem: StoreProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.problem = problem
  }
}
