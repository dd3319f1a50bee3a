import { type Clock, type Logger, sleep } from '@ai-ticket/core'

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

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/**
 * Writes until the store takes it: an outcome that a GPU worked for is not thrown away because the disk is full just
 * now. Undefined: the signal ended the waiting.
 */
export async function keepTrying<Value>(
  write: () => Promise<Value>,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<Value | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await write()
    } catch (error) {
      if (signal.aborted) return undefined
      logger.error('The ticket store failed; what it was to record is kept and tried again.', { error })
    }
    await sleep(clock, pauseMs, signal).catch(() => {})
    if (signal.aborted) return undefined
  }
}
