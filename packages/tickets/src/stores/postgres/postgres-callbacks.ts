import type { CallbackStore } from '../../ticket/callback-store.ts'
import type { Hub } from '../../ticket/ticket-changes.ts'
import { type ChangeDelivery, createDeliveryChanges } from '../change-delivery.ts'
import {
  claimDeliveries,
  countPending,
  findDeliveries,
  lockDelivery,
  readNextDelivery,
  updateDelivery,
} from './callbacks.ts'
import type { Database, Queryable } from './database.ts'
import { findTickets } from './ticket-table.ts'

export interface PostgresCallbackParts {
  readonly database: Database
  readonly now: () => number
  /** Told of deliveries that have become due. */
  readonly due: Hub
  readonly call: <Value>(work: () => Promise<Value>) => Promise<Value>
  readonly write: <Value>(work: (at: Queryable) => Promise<Value>) => Promise<Value>
}

export function createPostgresCallbacks(parts: PostgresCallbackParts): CallbackStore {
  const { database, now, due, call, write } = parts

  const change: ChangeDelivery = (ticketId, transition) =>
    call(() =>
      write(async (at) => {
        const before = await lockDelivery(at, ticketId)
        const after = before && transition(before)
        if (after) await updateDelivery(at, after)
        return after
      }),
    )

  return {
    claim: (request) =>
      call(async () => {
        // Nothing to do is the usual case, and worth no transaction.
        const dueAt = await readNextDelivery(database)
        if (dueAt === undefined || dueAt > now()) return []
        const claimed = await write((at) => claimDeliveries(at, { ...request, now: now() }))
        const tickets = await findTickets(
          database,
          claimed.map(({ ticketId }) => ticketId),
        )
        return claimed.flatMap((delivery) => {
          const ticket = tickets.find(({ id }) => id === delivery.ticketId)
          return ticket ? [{ delivery, ticket }] : []
        })
      }),
    ...createDeliveryChanges(change, { due, now }),
    find: (ticketIds) =>
      call(async () => {
        const found = await findDeliveries(database, ticketIds)
        return new Map(found.map((delivery) => [delivery.ticketId, delivery]))
      }),
    nextDueInMs: () =>
      call(async () => {
        const dueAt = await readNextDelivery(database)
        return dueAt === undefined ? undefined : dueAt - now()
      }),
    pending: () => call(() => countPending(database)),
    subscribe: due.subscribe,
  }
}
