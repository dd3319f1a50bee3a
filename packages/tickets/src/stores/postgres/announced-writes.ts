import { randomUUID } from 'node:crypto'
import { deliveriesOf } from '../../ticket/delivery.ts'
import { createWriteWatch, type WriteWatch } from '../../ticket/store-unavailable.ts'
import type { Ticket } from '../../ticket/ticket.ts'
import { createHub, type Hub } from '../../ticket/ticket-changes.ts'
import { insertDeliveries } from './callbacks.ts'
import type { Database, Queryable } from './database.ts'
import { isConflict, postgresProblem } from './postgres-problem.ts'

/** Transactions that tell what they have changed, here and on other servers, once it is durable. */
export interface AnnouncedWrites {
  write<Value>(
    work: (at: Queryable, changed: (tickets: readonly Ticket[]) => void) => Promise<Value>,
  ): Promise<Value>
  /** Hears of tickets that have changed, on this server or another. */
  readonly hub: Hub
  /** Hears of tickets whose callback has become due by a change made here. */
  readonly due: Hub
  readonly watch: WriteWatch
  close(): Promise<void>
}

export interface AnnouncedWritesOptions {
  readonly database: Database
  readonly channel: string
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is durable. */
  readonly onStep: (step: 'commit' | 'committed') => void
  /** False: news from other servers is dropped. */
  readonly isOpen: () => boolean
}

/** Ids that fit into one message of PostgreSQL, which takes 8,000 bytes. */
const IDS_IN_MESSAGE = 150
/** Two transactions in each other's way are rare, and the second try meets a free road. */
const TRIES = 5

export async function openAnnouncedWrites(options: AnnouncedWritesOptions): Promise<AnnouncedWrites> {
  const { database, channel, onStep, isOpen } = options
  const hub = createHub()
  const due = createHub()
  const watch = createWriteWatch()
  // Tells our own messages from those of other servers: ours have been told already.
  const sender = randomUUID()

  async function notify(at: Queryable, ids: readonly string[]): Promise<void> {
    for (let start = 0; start < ids.length; start += IDS_IN_MESSAGE) {
      const message = [sender, ...ids.slice(start, start + IDS_IN_MESSAGE)].join(' ')
      await at.query('SELECT pg_notify($1, $2)', [channel, message])
    }
  }

  const listening = await database.listen(channel, (message) => {
    const [from, ...ids] = message.split(' ')
    if (from !== sender && isOpen()) hub.tell(ids)
  })

  return {
    async write(work) {
      for (let tried = 1; ; tried++) {
        const changed: Ticket[] = []
        try {
          const value = await database.transaction(async (at) => {
            const result = await work(at, (tickets) => changed.push(...tickets))
            // With the end of a ticket, the callback that announces it.
            await insertDeliveries(at, deliveriesOf(changed))
            await notify(
              at,
              changed.map(({ id }) => id),
            )
            onStep('commit')
            return result
          })
          watch.succeeded()
          onStep('committed')
          hub.tell(changed.map(({ id }) => id))
          due.tell(deliveriesOf(changed).map(({ ticketId }) => ticketId))
          return value
        } catch (error) {
          if (tried === TRIES || !isConflict(error)) throw watch.failed(postgresProblem(error))
        }
      }
    },
    hub,
    due,
    watch,
    close: () => listening.close(),
  }
}
