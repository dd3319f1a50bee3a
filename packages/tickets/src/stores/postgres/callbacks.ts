import type { DeliveryClaim } from '../../ticket/callback-store.ts'
import type { Delivery, DeliveryAttempt, DeliveryStatus } from '../../ticket/delivery.ts'
import { hostOf } from '../../ticket/host-of.ts'
import type { Queryable, Row } from './database.ts'
import { restoredText, storableText } from './storable-text.ts'

// The statements of the deliveries; what may happen to one is decided elsewhere.

/** A ticket ends once: a second delivery for it would be a bug, and fails. */
export async function insertDeliveries(at: Queryable, deliveries: readonly Delivery[]): Promise<void> {
  if (deliveries.length === 0) return
  await at.query(
    `INSERT INTO callbacks (ticket_id, url, host, status, due_at, token, tries, attempts)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[],
        $7::integer[], $8::text[])`,
    [
      deliveries.map(({ ticketId }) => ticketId),
      deliveries.map(({ url }) => storableText(url)),
      deliveries.map(({ url }) => hostOf(url)),
      deliveries.map(({ status }) => status),
      deliveries.map(({ dueAt }) => dueAt),
      deliveries.map(({ token }) => token),
      deliveries.map(({ tries }) => tries),
      deliveries.map(({ attempts }) => JSON.stringify(attempts)),
    ],
  )
}

/** Nobody else changes it until the transaction ends. */
export async function lockDelivery(at: Queryable, ticketId: string): Promise<Delivery | undefined> {
  const sql = 'SELECT * FROM callbacks WHERE ticket_id = $1 FOR UPDATE'
  return (await at.query(sql, [storableText(ticketId)])).map(deliveryOf)[0]
}

export async function updateDelivery(at: Queryable, delivery: Delivery): Promise<void> {
  const { ticketId, status, dueAt, token, tries, attempts } = delivery
  await at.query(
    `UPDATE callbacks SET status = $2, due_at = $3, token = $4, tries = $5, attempts = $6 WHERE ticket_id = $1`,
    [ticketId, status, dueAt, token, tries, JSON.stringify(attempts)],
  )
}

/** One statement: two servers that ask at the same time get different ones, and neither waits for the other. */
export async function claimDeliveries(
  at: Queryable,
  { limit, leaseMs, busyHosts = [], now }: DeliveryClaim & { readonly now: number },
): Promise<readonly Delivery[]> {
  const rows = await at.query(
    `WITH due AS MATERIALIZED (
        SELECT ticket_id FROM callbacks WHERE status = 'pending' AND due_at <= $1 AND NOT host = ANY($2)
          ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
      UPDATE callbacks SET token = token + 1, due_at = $4 FROM due
        WHERE callbacks.ticket_id = due.ticket_id RETURNING callbacks.*`,
    [now, [...busyHosts], limit, now + leaseMs],
  )
  return rows.map(deliveryOf)
}

export async function findDeliveries(at: Queryable, ids: readonly string[]): Promise<readonly Delivery[]> {
  if (ids.length === 0) return []
  const sql = 'SELECT * FROM callbacks WHERE ticket_id = ANY($1)'
  return (await at.query(sql, [ids.map(storableText)])).map(deliveryOf)
}

export async function readNextDelivery(at: Queryable): Promise<number | undefined> {
  const [first] = await at.query("SELECT min(due_at) AS due FROM callbacks WHERE status = 'pending'")
  return first?.due == null ? undefined : Number(first.due)
}

export async function countPending(at: Queryable): Promise<number> {
  const [row] = await at.query("SELECT count(*) AS number FROM callbacks WHERE status = 'pending'")
  return Number(row?.number)
}

const deliveryOf = (row: Row): Delivery => ({
  ticketId: String(row.ticket_id),
  url: restoredText(String(row.url)),
  status: row.status as DeliveryStatus,
  dueAt: Number(row.due_at),
  token: Number(row.token),
  tries: Number(row.tries),
  attempts: JSON.parse(String(row.attempts)) as DeliveryAttempt[],
})
