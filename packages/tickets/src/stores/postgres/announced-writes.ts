import { randomUUID } from 'node:crypto'
import { type Clock, sleep, systemClock } from '@ai-ticket/core'
import { deliveriesOf } from '../../ticket/delivery.ts'
import { createWriteWatch, StoreUnavailable, type WriteWatch } from '../../ticket/store-unavailable.ts'
import type { Ticket } from '../../ticket/ticket.ts'
import { createHub, type Hub } from '../../ticket/ticket-store.ts'
import { insertDeliveries } from './callbacks.ts'
import { CommitUnanswered, type Database, type Queryable } from './database.ts'
import { isConflict, postgresProblem } from './postgres-problem.ts'

/** Transactions that tell what they have changed, here and on other servers, once it is durable. */
export interface AnnouncedWrites {
  write<Value>(work: Work<Value>): Promise<Value>
  /** Hears of tickets that have changed, on this server or another. */
  readonly hub: Hub
  /** Hears of tickets whose callback has become due by a change made here. */
  readonly due: Hub
  readonly watch: WriteWatch
  close(): Promise<void>
}

/** `touched`: one that has changed and was not read; it has not ended. */
type Work<Value> = (
  at: Queryable,
  changed: (tickets: readonly Ticket[]) => void,
  touched: (id: string) => void,
) => Promise<Value>

export interface AnnouncedWritesOptions {
  readonly database: Database
  readonly channel: string
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is durable. */
  readonly onStep: (step: 'commit' | 'committed') => void
  /** False: news from other servers is dropped. */
  readonly isOpen: () => boolean
  /** Default: the system's. */
  readonly clock?: Clock
}

/** Ids that fit into one message of PostgreSQL, which takes 8,000 bytes. */
const IDS_IN_MESSAGE = 150
/** Two transactions in each other's way are rare, and the second try meets a free road. */
const TRIES = 5

export async function openAnnouncedWrites(options: AnnouncedWritesOptions): Promise<AnnouncedWrites> {
  const { database, channel, onStep, isOpen, clock = systemClock } = options
  const hub = createHub()
  const due = createHub()
  const watch = createWriteWatch()
  // Tells our own messages from those of other servers: ours have been told already.
  const sender = randomUUID()

  const listening = await database.listen(channel, (message) => {
    const [from, ...ids] = message.split(' ')
    if (from !== sender && isOpen()) hub.tell(ids)
  })

  return {
    async write(work) {
      for (let tried = 1; ; tried++) {
        try {
          const { value, changed, ids } = await transact(work, { database, channel, sender, onStep, clock })
          watch.succeeded()
          onStep('committed')
          hub.tell(ids)
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

interface TransactParts extends Pick<AnnouncedWritesOptions, 'database' | 'channel' | 'onStep'> {
  readonly sender: string
  readonly clock: Clock
}

/** One try, with everything that was changed. */
async function transact<Value>(
  work: Work<Value>,
  parts: TransactParts,
): Promise<{ readonly value: Value; readonly changed: readonly Ticket[]; readonly ids: readonly string[] }> {
  const { database, onStep, clock } = parts
  const changed: Ticket[] = []
  const touched: string[] = []
  const idsOf = () => [...changed.map(({ id }) => id), ...touched]
  let transaction: string | undefined
  let done: { readonly value: Value } | undefined
  try {
    await database.transaction(async (at) => {
      const value = await work(
        at,
        (tickets) => changed.push(...tickets),
        (id) => touched.push(id),
      )
      // With the end of a ticket, the callback that announces it.
      await insertDeliveries(at, deliveriesOf(changed))
      transaction = await notify(at, idsOf(), parts)
      onStep('commit')
      done = { value }
    })
  } catch (error) {
    if (!(error instanceof CommitUnanswered)) throw error
    const isWritten = await askAgain(database, { transaction, id: idsOf()[0], clock })
    if (isWritten === undefined) throw notKnown(error)
    if (!isWritten) throw error.cause
  }
  if (done === undefined) throw new Error('A transaction ended without its work.')
  return { value: done.value, changed, ids: idsOf() }
}

/** Gives back the number of the transaction, by which one can ask later what became of it; undefined: it has no news. */
async function notify(
  at: Queryable,
  ids: readonly string[],
  { channel, sender }: TransactParts,
): Promise<string | undefined> {
  let transaction: string | undefined
  for (let start = 0; start < ids.length; start += IDS_IN_MESSAGE) {
    const message = [sender, ...ids.slice(start, start + IDS_IN_MESSAGE)].join(' ')
    const sql = 'SELECT pg_notify($1, $2), pg_current_xact_id()::text AS transaction'
    const [row] = await at.query(sql, [channel, message])
    transaction = String(row?.transaction)
  }
  return transaction
}

/** For so long PostgreSQL is asked again after a connection that broke. */
const ASK_AGAIN_MS = 5_000
const ASK_PAUSE_MS = 200

/**
 * Whether the transaction was committed; undefined: nobody says. The row is looked for as well, for a standby that has taken
 * over meanwhile may have given the number to another transaction.
 */
async function askAgain(
  database: Database,
  {
    transaction,
    id,
    clock,
  }: { readonly transaction: string | undefined; readonly id: string | undefined; readonly clock: Clock },
): Promise<boolean | undefined> {
  // One that changed no ticket: it is done again, or its caller sees.
  if (transaction === undefined || id === undefined) return undefined
  for (const until = clock.now() + ASK_AGAIN_MS; clock.now() < until; ) {
    try {
      const [row] = await database.query(
        'SELECT pg_xact_status($1::xid8) AS status, EXISTS (SELECT 1 FROM tickets WHERE id = $2) AS found',
        [transaction, id],
      )
      if (row?.status === 'committed') return row.found === true ? true : undefined
      if (row?.status === 'aborted') return false
    } catch {
      // It is still away.
    }
    await sleep(clock, ASK_PAUSE_MS)
  }
  return undefined
}

const notKnown = (cause: unknown) =>
  new StoreUnavailable(
    'unknown',
    'The connection to PostgreSQL broke during the commit; it is not known whether it was written.',
    cause,
  )
