import type { Delivery, DeliveryAttempt, Verdict } from './delivery.ts'
import type { Ticket } from './ticket.ts'

/**
 * Deliveries of callbacks, in the store of their tickets. The store writes one with the outcome of its ticket, in the same
 * transaction, and removes it with the ticket. Durable and failing like the rest of `TicketStore`.
 */
export interface CallbackStore {
  /** Gives deliveries that are due to a sender, the oldest first; no other gets them before the lease is over. */
  claim(request: DeliveryClaim): Promise<readonly ClaimedDelivery[]>
  /** Writes down an attempt and what follows. False: another has the delivery now; only its history has grown. */
  record(fence: DeliveryFence, attempt: DeliveryAttempt, verdict: Verdict): Promise<boolean>
  /** Makes it due now, with a new round of attempts. Undefined: the ticket has none, or has not ended. */
  resend(ticketId: string): Promise<Delivery | undefined>
  /** Of these tickets, those that have one; by the id of the ticket. */
  find(ticketIds: readonly string[]): Promise<ReadonlyMap<string, Delivery>>
  /** Milliseconds until the next one is due, negative: overdue; undefined: none is pending. */
  nextDueInMs(): Promise<number | undefined>
  /** How many are to be sent yet. */
  pending(): Promise<number>
  /** How many were given up. It counts no further than `limit`. */
  dead(limit: number): Promise<number>
  /** Calls back with the ticket of every delivery that has become due by a change that was made here. */
  subscribe(listener: (ticketId: string) => unknown): () => void
}

/** Which callbacks a sender takes. */
export interface DeliveryClaim {
  /** At most so many. */
  readonly limit: number
  /** Milliseconds after which another sender may take them. */
  readonly leaseMs: number
  /** Deliveries to these (`host:port`) are left. Default: none. */
  readonly busyHosts?: readonly string[]
}

/** A callback that is to be sent now. */
export interface ClaimedDelivery {
  /** Its `token` is needed to record what became of it. */
  readonly delivery: Delivery
  /** It has ended, so it no longer changes. */
  readonly ticket: Ticket
}

/** The claim that a sender holds; it is needed to record an attempt. */
export interface DeliveryFence {
  /** Of the ticket that has ended. */
  readonly ticketId: string
  /** Of the delivery when it was claimed. */
  readonly token: number
}
