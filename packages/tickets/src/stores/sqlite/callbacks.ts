import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { CallbackStore, DeliveryClaim } from '../../ticket/callback-store.ts'
import { type Delivery, deliveryOf, hostOf } from '../../ticket/delivery.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import type { Hub } from '../../ticket/ticket-store.ts'
import { type ChangeDelivery, createDeliveryChanges, nextDueInMs } from '../change-delivery.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Row } from './ticket-row.ts'
import { prepareToRead } from './ticket-row.ts'
import type { TicketTable } from './ticket-table.ts'

/** The statements of the deliveries; what may happen to one is decided elsewhere. */
export type CallbackTable = ReturnType<typeof createCallbackTable>

export function createCallbackTable(database: DatabaseSync) {
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  const statement = (sql: string) => {
    const known = prepared.get(sql)
    if (known) return known
    const made = prepareToRead(database, sql)
    prepared.set(sql, made)
    return made
  }
  const all = (sql: string, ...values: readonly SQLInputValue[]) =>
    statement(sql)
      .all(...values)
      .map(readRow)

  return {
    /** A ticket ends once: a second delivery for it would be a bug, and fails. */
    insert(delivery: Delivery): void {
      statement(
        `INSERT INTO callbacks (ticket_id, url, host, status, due_at, paused_at, token, tries, attempts)
          VALUES (:ticket_id, :url, :host, :status, :due_at, :paused_at, :token, :tries, :attempts)`,
      ).run({ ...columnsOf(delivery), url: delivery.url, host: hostOf(delivery.url) })
    },
    update(delivery: Delivery): void {
      statement(
        `UPDATE callbacks SET status = :status, due_at = :due_at, paused_at = :paused_at, token = :token, tries = :tries,
          attempts = :attempts WHERE ticket_id = :ticket_id`,
      ).run(columnsOf(delivery))
    },
    find: (ticketIds: readonly string[]): Delivery[] =>
      all(
        'SELECT * FROM callbacks WHERE ticket_id IN (SELECT value FROM json_each(?))',
        JSON.stringify(ticketIds),
      ),
    claim: ({ limit, leaseMs, busyHosts = [], now }: DeliveryClaim & { readonly now: number }): Delivery[] =>
      all(
        `UPDATE callbacks SET token = token + 1, due_at = ?, paused_at = ? WHERE ticket_id IN (
          SELECT ticket_id FROM callbacks WHERE status = 'pending' AND (due_at <= ? OR paused_at > ?)
            AND host NOT IN (SELECT value FROM json_each(?)) ORDER BY due_at LIMIT ?) RETURNING *`,
        storableTime(now + leaseMs),
        now,
        now,
        now,
        JSON.stringify(busyHosts),
        limit,
      ),
    nextDueInMs(now: number): number | undefined {
      const next = statement(
        `SELECT (SELECT min(due_at) FROM callbacks WHERE status = 'pending') AS due,
          (SELECT max(paused_at) FROM callbacks WHERE status = 'pending') AS paused`,
      ).get()
      return nextDueInMs(next, now)
    },
    pending: (): number =>
      Number(statement("SELECT count(*) AS number FROM callbacks WHERE status = 'pending'").get()?.number),
    dead: (limit: number): number => Number(statement(COUNT_DEAD).get(limit)?.number),
  }
}

/** Where there is an index of them. */
const COUNT_DEAD =
  "SELECT count(*) AS number FROM (SELECT 1 FROM ticket_rows WHERE callback = 'dead' LIMIT ?)"

const columnsOf = ({ ticketId, status, dueAt, pausedAt, token, tries, attempts }: Delivery) => ({
  ticket_id: ticketId,
  status,
  due_at: storableTime(dueAt),
  paused_at: storableTime(pausedAt),
  token,
  tries,
  attempts: JSON.stringify(attempts),
})

const readRow = (row: Row): Delivery => deliveryOf(row, String(row.url))

export interface SqliteCallbackParts {
  readonly callbacks: CallbackTable
  readonly tickets: Pick<TicketTable, 'find'>
  readonly commits: Pick<GroupCommit, 'write'>
  /** Hears of deliveries that have become due. */
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
      const dueInMs = await read(() => callbacks.nextDueInMs(now()))
      if (dueInMs === undefined || dueInMs > 0) return []
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
    nextDueInMs: () => read(() => callbacks.nextDueInMs(now())),
    pending: () => read(() => callbacks.pending()),
    dead: (limit) => read(() => callbacks.dead(limit)),
    subscribe: due.subscribe,
  }
}
