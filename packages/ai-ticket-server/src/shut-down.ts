import type { Dispatcher, Logger } from '@ai-ticket/core'
import type { createServer } from '@ai-ticket/server'

export interface ShutDownParts {
  readonly signal: string
  readonly server: ReturnType<typeof createServer>
  readonly dispatcher: Dispatcher
  readonly logger: Logger
  readonly drainMs: number
}

/** A client that does not read its answer would hold the process for ever. */
const LAST_ANSWERS_MS = 2_000

/**
 * Takes no more events, lets those in hand go on for `drainMs`, then answers what is left with `shutting_down`. A client
 * that has not taken its answer 2 s after that is cut off.
 */
export async function shutDown({
  signal,
  server,
  dispatcher,
  logger,
  drainMs,
}: ShutDownParts): Promise<void> {
  logger.info(`${signal}: events in hand have ${drainMs} ms to end. A second signal ends at once.`)
  const cutOff = setTimeout(() => server.server.closeAllConnections(), drainMs + LAST_ANSWERS_MS)
  const results = await Promise.allSettled([dispatcher.close({ drainMs }), server.close()])
  clearTimeout(cutOff)
  for (const result of results) {
    if (result.status === 'rejected') logger.error('A part did not close.', { error: String(result.reason) })
  }
  logger.info('Closed.')
}
