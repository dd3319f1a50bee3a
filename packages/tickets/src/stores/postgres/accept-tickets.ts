import { createHash } from 'node:crypto'
import { createTicketId, type Idempotency, type NewTicket, openTicket } from '../../ticket/new-ticket.ts'
import { type Accepted, rankOf } from '../../ticket/ticket-store.ts'
import type { KnownKey } from '../ticket-columns.ts'
import type { Queryable } from './database.ts'
import type { JobQueue } from './job-queue.ts'
import { storableText, wantedBackend } from './ticket-row.ts'
import { findByKeys, forgetKeys, insertTickets, type NewRow } from './ticket-table.ts'

export interface AcceptContext {
  readonly queue: JobQueue
  readonly now: number
  /** How many wait; asked once for a group. */
  readonly queued: number
  readonly capacity: number
}

/** Takes a group of tickets in: their rows and their jobs, in one transaction. */
export async function acceptTickets(
  at: Queryable,
  group: readonly NewTicket[],
  { queue, now, queued, capacity }: AcceptContext,
): Promise<readonly Accepted[]> {
  const known = await knownKeys(at, group)
  const rows: NewRow[] = []
  const outdated: string[] = []
  const accepted = group.map((given): Accepted => {
    const { idempotency } = given
    const earlier = idempotency && known.get(nameOf(idempotency))
    if (earlier && earlier.until > now) {
      if (earlier.fingerprint !== storableText(idempotency.fingerprint)) return { type: 'conflict' }
      return { type: 'existing', ticket: earlier.ticket }
    }
    if (queued + rows.length >= capacity) return { type: 'full', queued: queued + rows.length }
    if (earlier) outdated.push(earlier.ticket.id)
    const ticket = openTicket(given, createTicketId(now), now)
    const until = now + (idempotency?.ttlMs ?? 0)
    const hasJob = (given.notBefore ?? now) <= now
    rows.push({ ticket, hasJob, ...(idempotency && { idempotency: { ...idempotency, until } }) })
    if (idempotency) {
      known.set(nameOf(idempotency), { ticket, fingerprint: storableText(idempotency.fingerprint), until })
    }
    return { type: 'created', ticket }
  })
  await forgetKeys(at, outdated)
  await insertTickets(at, rows)
  await queue.add(at, jobsOf(rows))
  return accepted
}

/** One that begins later has its job when its time has come. */
const jobsOf = (rows: readonly NewRow[]) =>
  rows
    .filter(({ hasJob }) => hasJob)
    .map(({ ticket: { id, createdAt, priority, event } }) => ({
      id,
      rank: rankOf(createdAt, priority),
      group: wantedBackend(event),
    }))

/** The tickets of the keys; no other server takes a ticket of one of them in until the transaction ends. */
async function knownKeys(at: Queryable, group: readonly NewTicket[]): Promise<Map<string, KnownKey>> {
  const keys = group.flatMap(({ idempotency }) => idempotency ?? [])
  if (keys.length === 0) return new Map()
  // In the same order everywhere, so that two servers never wait for each other.
  const locks = [...new Set(keys.map(lockOf))].sort()
  await at.query('SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS given (key)', [locks])
  const found = await findByKeys(at, keys)
  return new Map(found.map(({ scope, key, known }) => [JSON.stringify([scope, key]), known]))
}

const nameOf = ({ scope, key }: Idempotency) => JSON.stringify([storableText(scope), storableText(key)])

const lockOf = (idempotency: Idempotency): string =>
  createHash('sha256').update(nameOf(idempotency)).digest().readBigInt64BE().toString()
