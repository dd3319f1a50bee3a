import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { DeliveryClaim } from '../../ticket/callback-store.ts'
import type { Delivery, DeliveryAttempt, DeliveryStatus } from '../../ticket/delivery.ts'
import { hostOf } from '../../ticket/host-of.ts'
import type { Row } from './ticket-row.ts'

/** The statements of the deliveries; what may happen to one is decided elsewhere. */
export type CallbackTable = ReturnType<typeof createCallbackTable>

export function createCallbackTable(database: DatabaseSync) {
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  const statement = (sql: string) => {
    const known = prepared.get(sql) ?? database.prepare(sql)
    prepared.set(sql, known)
    return known
  }
  const all = (sql: string, ...values: readonly SQLInputValue[]) =>
    statement(sql)
      .all(...values)
      .map(deliveryOf)

  return {
    /** A ticket ends once: a second delivery for it would be a bug, and fails. */
    insert(delivery: Delivery): void {
      statement(
        `INSERT INTO callbacks (ticket_id, url, host, status, due_at, token, tries, attempts)
          VALUES (:ticket_id, :url, :host, :status, :due_at, :token, :tries, :attempts)`,
      ).run({ ...columnsOf(delivery), url: delivery.url, host: hostOf(delivery.url) })
    },
    update(delivery: Delivery): void {
      statement(
        `UPDATE callbacks SET status = :status, due_at = :due_at, token = :token, tries = :tries,
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
        `UPDATE callbacks SET token = token + 1, due_at = ? WHERE ticket_id IN (
          SELECT ticket_id FROM callbacks WHERE status = 'pending' AND due_at <= ?
            AND host NOT IN (SELECT value FROM json_each(?)) ORDER BY due_at LIMIT ?) RETURNING *`,
        now + leaseMs,
        now,
        JSON.stringify(busyHosts),
        limit,
      ),
    nextDueAt(): number | undefined {
      const due = statement("SELECT min(due_at) AS due FROM callbacks WHERE status = 'pending'").get()?.due
      return due == null ? undefined : Number(due)
    },
    pending: (): number =>
      Number(statement("SELECT count(*) AS number FROM callbacks WHERE status = 'pending'").get()?.number),
  }
}

const columnsOf = ({ ticketId, status, dueAt, token, tries, attempts }: Delivery) => ({
  ticket_id: ticketId,
  status,
  due_at: dueAt,
  token,
  tries,
  attempts: JSON.stringify(attempts),
})

const deliveryOf = (row: Row): Delivery => ({
  ticketId: String(row.ticket_id),
  url: String(row.url),
  status: row.status as DeliveryStatus,
  dueAt: Number(row.due_at),
  token: Number(row.token),
  tries: Number(row.tries),
  attempts: JSON.parse(String(row.attempts)) as DeliveryAttempt[],
})
