import type { TicketStore } from '../src/index.ts'
import { createTicketId, openTicket } from '../src/ticket/new-ticket.ts'

/** What the ledger must find when somebody builds it in. */
export const MISTAKES: Readonly<Record<string, (store: TicketStore) => TicketStore>> = {
  /** The 202 is sent, and the commit comes later. */
  commit_behind_202: (store) => ({
    ...store,
    async accept(given) {
      setTimeout(() => void store.accept(given), 100)
      return { type: 'created', ticket: openTicket(given, createTicketId(Date.now()), Date.now()) }
    },
  }),
  /** Nobody takes over what a dead process held. */
  lease_dropped: (store) => ({ ...store, adopt: async () => [] }),
  /** The key of a call is not on disk when the call is sent. */
  call_not_announced: (store) => ({ ...store, saveProgress: async () => true }),
}

export const breakStore = (store: TicketStore, mistake: string | undefined): TicketStore =>
  MISTAKES[mistake ?? '']?.(store) ?? store
