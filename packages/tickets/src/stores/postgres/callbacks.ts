import type { CallbackStore, DeliveryClaim } from '../../ticket/callback-store.ts'
import { type Delivery, deliveryOf, hostOf } from '../../ticket/delivery.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import type { Hub } from '../../ticket/ticket-store.ts'
import { type ChangeDelivery, createDeliveryChanges, nextDueInMs } from '../change-delivery.ts'
import type { Database, Queryable, Row } from './database.ts'
import { restoredText, storableText } from './ticket-row.ts'
import { findTickets } from './ticket-table.ts'

// The statements of the deliveries; what may happen to one is decided elsewhere.

/** A ticket ends once: a second delivery for it would be a bug, and fails. */
export async function insertDeliveries(at: Queryable, deliveries: readonly Delivery[]): Promise<void> {
  if (deliveries.length === 0) return
  await at.query(
    `INSERT INTO callbacks (ticket_id, url, host, status, due_at, token, tries, attempts, paused_at)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[],
        $7::integer[], $8::text[], $9::bigint[])`,
    [
      deliveries.map(({ ticketId }) => ticketId),
      deliveries.map(({ url }) => storableText(url)),
      deliveries.map(({ url }) => hostOf(url)),
      deliveries.map(({ status }) => status),
      deliveries.map(({ dueAt }) => storableTime(dueAt)),
      deliveries.map(({ token }) => token),
      deliveries.map(({ tries }) => tries),
      deliveries.map(({ attempts }) => JSON.stringify(attempts)),
      deliveries.map(({ pausedAt }) => storableTime(pausedAt)),
    ],
  )
}

/** Nobody else changes it until the transaction ends. */
async function lockDelivery(at: Queryable, ticketId: string): Promise<Delivery | undefined> {
  const sql = 'SELECT * FROM callbacks WHERE ticket_id = $1 FOR UPDATE'
  return (await at.query(sql, [storableText(ticketId)])).map(readRow)[0]
}

async function updateDelivery(at: Queryable, delivery: Delivery): Promise<void> {
  const { ticketId, status, dueAt, pausedAt, token, tries, attempts } = delivery
  await at.query(
    `UPDATE callbacks SET status = $2, due_at = $3, token = $4, tries = $5, attempts = $6, paused_at = $7
      WHERE ticket_id = $1`,
    [ticketId, status, storableTime(dueAt), token, tries, JSON.stringify(attempts), storableTime(pausedAt)],
  )
}

/** One statement: two servers that ask at the same time get different ones, and neither waits for the other. */
async function claimDeliveries(
  at: Queryable,
  { limit, leaseMs, busyHosts = [], now }: DeliveryClaim & { readonly now: number },
): Promise<readonly Delivery[]> {
  const rows = await at.query(
    `WITH due AS MATERIALIZED (
        SELECT ticket_id FROM callbacks WHERE status = 'pending' AND (due_at <= $1 OR paused_at > $1) AND NOT host = ANY($2)
          ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
      UPDATE callbacks SET token = token + 1, due_at = $4, paused_at = $1 FROM due
        WHERE callbacks.ticket_id = due.ticket_id RETURNING callbacks.*`,
    [now, [...busyHosts], limit, storableTime(now + leaseMs)],
  )
  return rows.map(readRow)
}

async function findDeliveries(at: Queryable, ids: readonly string[]): Promise<readonly Delivery[]> {
  if (ids.length === 0) return []
  const sql = 'SELECT * FROM callbacks WHERE ticket_id = ANY($1)'
  return (await at.query(sql, [ids.map(storableText)])).map(readRow)
}

async function readNextDueInMs(at: Queryable, now: number): Promise<number | undefined> {
  const [next] = await at.query(
    `SELECT (SELECT min(due_at) FROM callbacks WHERE status = 'pending') AS due,
      (SELECT max(paused_at) FROM callbacks WHERE status = 'pending') AS paused`,
  )
  return nextDueInMs(next, now)
}

async function countPending(at: Queryable): Promise<number> {
  const [row] = await at.query("SELECT count(*) AS number FROM callbacks WHERE status = 'pending'")
  return Number(row?.number)
}

/** Where there is an index of them. */
async function countDead(at: Queryable, limit: number): Promise<number> {
  const sql =
    "SELECT count(*) AS number FROM (SELECT FROM ticket_rows WHERE callback = 'dead' LIMIT $1) AS dead"
  const [row] = await at.query(sql, [limit])
  return Number(row?.number)
}

const readRow = (row: Row): Delivery => deliveryOf(row, restoredText(String(row.url)))

export interface PostgresCallbackParts {
  readonly database: Database
  readonly now: () => number
  /** Hears of deliveries that have become due. */
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
        const dueInMs = await readNextDueInMs(database, now())
        if (dueInMs === undefined || dueInMs > 0) return []
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
    nextDueInMs: () => call(() => readNextDueInMs(database, now())),
    pending: () => call(() => countPending(database)),
    dead: (limit) => call(() => countDead(database, limit)),
    subscribe: due.subscribe,
  }
}
