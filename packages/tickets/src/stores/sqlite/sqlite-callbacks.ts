import type { CallbackStore } from '../../ticket/callback-store.ts'
import type { Hub } from '../../ticket/ticket-changes.ts'
import { type ChangeDelivery, createDeliveryChanges } from '../change-delivery.ts'
import type { CallbackTable } from './callbacks.ts'
import type { GroupCommit } from './group-commit.ts'
import type { TicketTable } from './ticket-table.ts'

export interface SqliteCallbackParts {
  readonly callbacks: CallbackTable
  readonly tickets: Pick<TicketTable, 'find'>
  readonly commits: Pick<GroupCommit, 'write'>
  /** Told of deliveries that have become due. */
  readonly due: Hub
  readonly now: () => number
  readonly read: <Value>(work: () => Value) => Promise<Value>
}

export function createSqliteCallbacks(parts: SqliteCallbackParts): CallbackStore {
  const { callbacks, tickets, commits, due, now, read } = parts

  const change: ChangeDelivery = (ticketId, transition) =>
    commits.write(() => {
      const [before] = callbacks.find([ticketId])
      const after = before && transition(before)
      if (after) callbacks.update(after)
      return after
    })

  return {
    async claim(request) {
      // Nothing to do is the usual case, and worth no commit.
      const dueAt = await read(() => callbacks.nextDueAt())
      if (dueAt === undefined || dueAt > now()) return []
      return await commits.write(() =>
        callbacks.claim({ ...request, now: now() }).flatMap((delivery) => {
          const ticket = tickets.find(delivery.ticketId)
          return ticket ? [{ delivery, ticket }] : []
        }),
      )
    },
    ...createDeliveryChanges(change, { due, now }),
    find: (ticketIds) =>
      read(() => new Map(callbacks.find(ticketIds).map((delivery) => [delivery.ticketId, delivery]))),
    nextDueInMs: () =>
      read(() => {
        const dueAt = callbacks.nextDueAt()
        return dueAt === undefined ? undefined : dueAt - now()
      }),
    pending: () => read(() => callbacks.pending()),
    subscribe: due.subscribe,
  }
}
