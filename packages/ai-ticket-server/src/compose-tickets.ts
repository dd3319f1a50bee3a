import type { Dispatcher, Logger, OutcomeListener } from '@ai-ticket/core'
import type { createServer } from '@ai-ticket/server'
import { createHistory, createSqliteStore, createTicketDesk, type TicketDesk } from '@ai-ticket/tickets'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import type { Config } from './config.ts'

const DAY_MS = 86_400_000

/** The parts that make tickets, in the order in which they are put together. */
export interface TicketParts {
  /** Where the tickets are, and what they survive. */
  readonly durability: string
  /** For the dispatcher, which is made after the store. */
  readonly onOutcome: OutcomeListener
  /** Adds the routes; the server must not listen yet. */
  serve(server: ReturnType<typeof createServer>, dispatcher: Dispatcher): TicketDesk
  /** Writes what is left and closes the files, after the dispatcher and the server. */
  close(): Promise<void>
}

/** Opens the store. Throws `StoreUnavailable`, with what to do, where it cannot be opened. */
export function composeTickets(config: Config, logger: Logger): TicketParts {
  const store = createSqliteStore({ directory: config.dataDir })
  const history = createHistory({ store, logger, mode: config.history, keepMs: config.keepDays * DAY_MS })
  return {
    durability: store.durability,
    onOutcome: history.onOutcome,
    serve(server, dispatcher) {
      const desk = createTicketDesk({ store, dispatcher, logger })
      server.register(ticketRoutes, { store, desk, logger, bodyLimitBytes: config.bodyLimitBytes })
      return desk
    },
    async close() {
      await history.close()
      await store.close()
    },
  }
}
