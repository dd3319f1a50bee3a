import type { BackendReport, LineReport } from '@ai-ticket/core'
import type { TicketStatus } from '@ai-ticket/tickets'
import type { TicketRowBody } from '@ai-ticket/tickets/fastify'
import type { LineBody } from './line.ts'

/** The data of each event of `GET /feed`, by its name. */
export interface FeedEvents {
  /** The first one. `resumed`: nothing was missed since `Last-Event-ID`. */
  hello: { now: string; worker: string; version: string; resumed: boolean }
  /** How the desk is; at the start, and at most twice a second where it has changed. */
  desk: DeskBody
  /** As `GET /line`; at the start, and at most once a second where it has changed. */
  line: LineBody
  /** A ticket that has changed, as it is now. */
  ticket: TicketRowBody
  /** Settings have changed since the start of the server: the `revision` of `GET /config`. At the start, where they have. */
  config: { revision: string }
  /** So many more have changed, and are not shown. With filters, some of them may not pass. */
  more: { count: number }
  /** You missed something: read again what you show. */
  gap: Record<string, never>
}

/** How the desk is. */
export interface DeskBody {
  /** As `GET /backends` has them. */
  backends: BackendReport[]
  /** As `GET /backends` has it. */
  line: LineReport
  /** How many tickets have each status. Absent: there is no store, or it is away. */
  tickets?: Record<TicketStatus, number>
  /** How long the first ticket that is due has waited, a multiple of 60,000: it would be news all the time. Absent as `tickets`. */
  tickets_overdue_ms?: number
  /** `none`: this server keeps no tickets. `details` say what keeps the store from working. */
  store: { status: 'available' | 'unavailable' | 'none'; details?: string }
  /** Callbacks to be sent yet, and those that were given up, of these at most 200 are counted. Absent as `tickets`. */
  callbacks?: { pending: number; dead: number }
}
