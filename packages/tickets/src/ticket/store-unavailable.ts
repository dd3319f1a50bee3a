import { type Clock, type Logger, sleep } from '@ai-ticket/core'

/**
 * `locked`: another process has the store. `broken`: the file is no database, or damaged. `unknown`: it did not say whether it
 * was written; with every other problem, nothing was.
 */
export type StoreProblem = 'locked' | 'full' | 'read_only' | 'broken' | 'unreachable' | 'unknown' | 'closed'

/** The store could not do it, and, unless the problem is `unknown`, nothing has changed. The message says what failed and what to do. */
export class StoreUnavailable extends Error {
  /** Tells it from other errors, also those of another copy of this package. */
  override readonly name = 'StoreUnavailable'
  /** The failure that callers are told. */
  readonly code = 'store_unavailable'
  /** What kind of thing is in the way. `unknown`: nobody knows whether the change was made. */
  readonly problem: StoreProblem

  constructor(problem: StoreProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.problem = problem
  }
}

/** Knows how the last write of a store ended. */
export interface WriteWatch {
  succeeded(): void
  /** Gives the error back. Only what the store could not do counts, not a bug in what was to be written. */
  failed(error: unknown): unknown
  /** What keeps the store from working: `look` reads; where the last write failed, `probe` is written to see whether it still does. */
  problem(ask: StoreProbe): Promise<StoreUnavailable | undefined>
}

interface StoreProbe {
  look(): Promise<unknown>
  probe(): Promise<unknown>
}

export function createWriteWatch(): WriteWatch {
  let last: StoreUnavailable | undefined
  return {
    succeeded() {
      last = undefined
    },
    failed(error) {
      if (error instanceof StoreUnavailable) last = error
      return error
    },
    async problem({ look, probe }) {
      try {
        await (last === undefined ? look() : probe())
        return undefined
      } catch (error) {
        if (error instanceof StoreUnavailable) return error
        throw error
      }
    },
  }
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** An error that is not the store's is a bug in what was to be written: trying forever would hold it forever. */
const TRIES_OF_A_BUG = 5

/**
 * Writes until the store takes it: an outcome that a GPU worked for is not thrown away because the disk is full just
 * now. Undefined: the signal ended the waiting. Rejects where the store works and still does not take it.
 */
export async function keepTrying<Value>(
  write: () => Promise<Value>,
  { clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal },
): Promise<Value | undefined> {
  let bugs = 0
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await write()
    } catch (error) {
      if (signal.aborted) return undefined
      if (!(error instanceof StoreUnavailable) && ++bugs === TRIES_OF_A_BUG) throw error
      logger.error('The ticket store failed; what it was to record is kept and tried again.', { error })
    }
    // Rejects when the waiting is over, which is looked at next.
    await sleep(clock, pauseMs, signal).catch(() => {})
    if (signal.aborted) return undefined
  }
}
