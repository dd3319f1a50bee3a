import type { Dispatcher, Logger } from '@ai-ticket/core'
import type { createServer } from '@ai-ticket/http-server'
import type { TicketDesk } from '@ai-ticket/tickets'
import type { TicketParts } from '../compose/compose-tickets.ts'

interface ShutDownParts {
  readonly signal: string
  readonly server: ReturnType<typeof createServer>
  readonly dispatcher: Dispatcher
  readonly desk: Pick<TicketDesk, 'close'>
  readonly tickets: Pick<TicketParts, 'close'>
  readonly logger: Logger
  readonly drainMs: number
}

/** A client that does not read its answer would hold the process forever. */
const LAST_ANSWERS_MS = 2_000

/**
 * Takes no more events, gives accepted ones `drainMs` to end, then answers the rest with `shutting_down`; tickets go back
 * to the queue. It listens until then, so that `/readyz` says 503. A client that has not read its answer 2 s later is cut
 * off.
 */
export async function shutDown({
  signal,
  server,
  dispatcher,
  desk,
  tickets,
  logger,
  drainMs,
}: ShutDownParts): Promise<void> {
  logger.info(`${signal}: accepted events have ${drainMs} ms to end. A second signal stops them at once.`)
  const cutOff = setTimeout(() => server.server.closeAllConnections(), drainMs + LAST_ANSWERS_MS)
  server.drain()
  const drained = await Promise.allSettled([desk.close({ drainMs }), dispatcher.close({ drainMs })])
  const [closed] = await Promise.allSettled([server.close()])
  clearTimeout(cutOff)
  // Last: until now the others had tickets to write.
  const [kept] = await Promise.allSettled([tickets.close()])
  for (const result of [...drained, closed, kept]) {
    if (result.status === 'rejected') logger.error('A part did not close.', { error: String(result.reason) })
  }
  logger.info('Closed.')
}
