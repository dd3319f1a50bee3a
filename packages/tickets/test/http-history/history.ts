import type { TicketStatus } from '../../src/index.ts'

/** Milliseconds on a clock that all clients share. `end` undefined: no answer came. */
export interface Exchange {
  readonly start: number
  end?: number
}

/** An event that was sent to be a ticket. */
export interface SentEvent extends Exchange {
  /** Of the event; its own for each event, and the same when it is sent again with its key. */
  readonly eventId: string
  readonly key?: string
  /** Undefined: none came, or it was cut. */
  httpStatus?: number
  ticketId?: string
  /** The words of a refusal. */
  details?: string
}

/** A look at a ticket. */
export interface TicketRead extends Exchange {
  readonly ticketId: string
  httpStatus?: number
  status?: TicketStatus
  /** As JSON. */
  outcome?: string
}

export interface ReceivedEnd {
  readonly ticketId: string
  readonly webhookId: string
  readonly body: string
  readonly outcome: string
}

/** What the store holds at the end. */
export interface RecordedTicket {
  readonly id: string
  readonly eventId: string
  readonly status: TicketStatus
  readonly outcome?: string
}

/** All that clients and receivers saw, whatever the server says. */
export interface HttpHistory {
  readonly sent: SentEvent[]
  readonly reads: TicketRead[]
  readonly callbacks: ReceivedEnd[]
  readonly records: RecordedTicket[]
}

export const newHistory = (): HttpHistory => ({ sent: [], reads: [], callbacks: [], records: [] })
