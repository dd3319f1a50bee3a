import { createHash } from 'node:crypto'
import { createTicketId, type Idempotency, type NewTicket, openTicket } from '../../ticket/new-ticket.ts'
import type { Accepted } from '../../ticket/ticket-store.ts'
import type { KnownKey } from '../ticket-columns.ts'
import { fullBy, shareOf } from '../turns.ts'
import type { Queryable } from './database.ts'
import { storableText } from './ticket-row.ts'
import { findByKeys, forgetKeys, insertTickets, type NewRow } from './ticket-table.ts'

export interface AcceptContext {
  readonly now: number
  /** How many wait; asked once for a group. */
  readonly queued: number
  readonly capacity: number
}

/** Takes a group of tickets in, in one transaction. */
export async function acceptTickets(
  at: Queryable,
  group: readonly NewTicket[],
  context: AcceptContext,
): Promise<readonly Accepted[]> {
  const { now, capacity } = context
  const known = await knownKeys(at, group)
  const own = new Map(await countOwn(at, group, context))
  const rows: NewRow[] = []
  const outdated: string[] = []
  const accepted = group.map((given): Accepted => {
    const { idempotency } = given
    const earlier = idempotency && known.get(nameOf(idempotency))
    if (earlier && earlier.until > now) {
      if (earlier.fingerprint !== storableText(idempotency.fingerprint)) return { type: 'conflict' }
      return { type: 'existing', ticket: earlier.ticket }
    }
    const sender = senderOf(given)
    const ownWaiting = own.get(sender) ?? 0
    const queued = context.queued + rows.length
    const limit = fullBy({ capacity, queued, countOwn: () => ownWaiting })
    if (limit) return { type: 'full', queued, capacity, limit }
    own.set(sender, ownWaiting + 1)
    if (earlier) outdated.push(earlier.ticket.id)
    const ticket = openTicket(given, createTicketId(now), now)
    const until = now + (idempotency?.ttlMs ?? 0)
    rows.push({ ticket, ...(idempotency && { idempotency: { ...idempotency, until } }) })
    if (idempotency) {
      known.set(nameOf(idempotency), { ticket, fingerprint: storableText(idempotency.fingerprint), until })
    }
    return { type: 'created', ticket }
  })
  await forgetKeys(at, outdated)
  await insertTickets(at, rows)
  return accepted
}

/** How many of those who send already wait, as far as it counts: only where few places are left. */
async function countOwn(
  at: Queryable,
  group: readonly NewTicket[],
  { queued, capacity }: AcceptContext,
): Promise<ReadonlyMap<string, number>> {
  if (shareOf({ capacity, queued: queued + group.length }) === undefined) return new Map()
  const senders = [...new Set(group.map(senderOf))]
  const rows = await at.query(
    `SELECT (SELECT count(*) FROM (
        SELECT 1 FROM tickets WHERE status = 'queued' AND NOT held AND sender = given.sender
        UNION ALL SELECT 1 FROM tickets WHERE status = 'queued' AND held AND sender = given.sender LIMIT $2) AS own) AS number
      FROM unnest($1::text[]) WITH ORDINALITY AS given (sender, place) ORDER BY place`,
    [senders.map(storableText), capacity],
  )
  return new Map(senders.map((sender, index) => [sender, Number(rows[index]?.number)]))
}

const senderOf = ({ caller, sender = caller }: NewTicket): string => sender

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
