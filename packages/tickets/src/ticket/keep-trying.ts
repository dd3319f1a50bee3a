import { type Clock, type Logger, sleep } from '@ai-ticket/core'

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
