import { claimTicket, type Fence, type Lease, type Ticket } from '../../ticket/ticket.ts'
import type { ClaimStanding } from '../../ticket/ticket-store.ts'
import { withinBytes } from '../list-page.ts'
import { lastTurns, type Sender, type Served, scoreSql, takeTurns, type WaitingTicket } from '../turns.ts'
import type { Queryable, Row } from './database.ts'
import { BYTES } from './list-query.ts'
import { ticketOf } from './ticket-row.ts'
import { updateTickets } from './ticket-table.ts'

export interface ClaimContext {
  readonly lease: Lease
  readonly limit: number
  readonly busyBackends: readonly string[]
}

/** Claims the tickets whose turn it is. One that another server takes at this moment is left to it, and the next one tried. */
export async function claimTickets(at: Queryable, context: ClaimContext): Promise<readonly Ticket[]> {
  const { lease, limit } = context
  const claimed: Ticket[] = []
  const passed: number[] = []
  while (claimed.length < limit) {
    const missing = limit - claimed.length
    const senders = await readSenders(at, { ...context, limit: missing, passed })
    const served = takeTurns(senders, missing, lease.now)
    const some = withinBytes(served.map((one) => ({ ...one, bytes: one.ticket.bytes })))
    if (some.length === 0) break
    const found = await lockWaiting(at, some)
    const taken = some.filter(({ ticket }) => found.has(ticket.seq))
    await noteTurns(at, lastTurns(taken), lease.now)
    for (const { ticket } of taken) {
      const before = found.get(ticket.seq)
      const after = before && claimTicket(before, lease)
      if (after) claimed.push(after)
    }
    if (taken.length === some.length) break
    passed.push(...some.map(({ ticket }) => ticket.seq))
  }
  await updateTickets(at, claimed)
  return claimed
}

/** Of those that were looked at, what no other server has taken. */
async function lockWaiting(at: Queryable, served: readonly Served[]): Promise<ReadonlyMap<number, Ticket>> {
  const rows = await at.query(
    "SELECT * FROM tickets WHERE seq = ANY($1) AND status = 'queued' FOR UPDATE SKIP LOCKED",
    [served.map(({ ticket }) => ticket.seq)],
  )
  return new Map(rows.map((row) => [Number(row.seq), ticketOf(row)]))
}

/** Each turn is a row of its own, and the last one counts: one row a sender would make all servers wait for each other. */
async function noteTurns(at: Queryable, senders: readonly string[], now: number): Promise<void> {
  if (senders.length === 0) return
  await at.query(
    `WITH gone AS (DELETE FROM turns WHERE turn = ANY (ARRAY(
        SELECT turn FROM turns WHERE sender = ANY($1::text[]) FOR UPDATE SKIP LOCKED)))
      INSERT INTO turns (sender, served_at) SELECT sender, $2 FROM unnest($1::text[]) AS given (sender)`,
    [senders, now],
  )
}

interface SenderSearch extends ClaimContext {
  /** Tickets that were tried already. */
  readonly passed: readonly number[]
}

async function readSenders(
  at: Queryable,
  { lease, limit, busyBackends, passed }: SenderSearch,
): Promise<readonly Sender[]> {
  const rows = await at.query(WHO_WAITS, [lease.now, limit, busyBackends, passed])
  const senders = new Map<string, Sender & { readonly waiting: WaitingTicket[] }>()
  for (const row of rows) {
    const sender = String(row.sender)
    const known = senders.get(sender) ?? {
      sender,
      servedAt: Number(row.served_at),
      turn: Number(row.turn),
      waiting: [],
    }
    senders.set(sender, known)
    known.waiting.push(waitingTicket(row))
  }
  return [...senders.values()]
}

const headsOf = (sender: string, limit: string) => `SELECT seq, rank, priority::bigint, ${BYTES} FROM tickets
  WHERE status = 'queued' AND sender = ${sender} AND (not_before <= $1::bigint OR paused_at > $1::bigint)
    AND (wanted_backend IS NULL OR NOT wanted_backend = ANY($3::text[])) AND NOT seq = ANY($4::bigint[])
  ORDER BY rank, seq LIMIT ${limit}`

/**
 * Those who may come to their turn, each with its first tickets. It jumps from one sender to the next, so that the length
 * of a backlog makes no difference.
 */
const WHO_WAITS = `WITH RECURSIVE senders (sender) AS (
    (SELECT sender FROM tickets WHERE status = 'queued' ORDER BY sender LIMIT 1)
    UNION ALL
    SELECT (SELECT other.sender FROM tickets AS other
      WHERE other.status = 'queued' AND other.sender > senders.sender ORDER BY other.sender LIMIT 1)
    FROM senders WHERE senders.sender IS NOT NULL
  ), first AS (
    SELECT senders.sender, coalesce(last.served_at, 0) AS served_at, coalesce(last.turn, 0) AS turn
    FROM senders
      CROSS JOIN LATERAL (${headsOf('senders.sender', '1')}) AS head
      LEFT JOIN LATERAL (
        SELECT served_at, turn FROM turns WHERE turns.sender = senders.sender ORDER BY turn DESC LIMIT 1
      ) AS last ON true
    ORDER BY ${scoreSql({ greater: 'greatest', smaller: 'least', now: '$1::bigint' })}, 3, head.rank, head.seq
    LIMIT $2
  )
  SELECT first.sender, served_at, turn, heads.* FROM first
    CROSS JOIN LATERAL (${headsOf('first.sender', '$2')}) AS heads ORDER BY heads.rank, heads.seq`

const waitingTicket = ({ seq, rank, priority, bytes }: Row): WaitingTicket => ({
  seq: Number(seq),
  rank: Number(rank),
  priority: Number(priority),
  bytes: Number(bytes),
})

/** All claims of a server in one statement, as often as it likes: this is not announced. */
export async function extendLeases(
  at: Queryable,
  fences: readonly Fence[],
  leaseUntil: number,
): Promise<readonly ClaimStanding[]> {
  const rows = await at.query(
    `UPDATE tickets SET lease_until = $3 FROM unnest($1::text[], $2::integer[]) AS held (id, token)
      WHERE tickets.id = held.id AND tickets.token = held.token AND status = 'in_progress'
      RETURNING tickets.id, tickets.token, cancel_requested_at`,
    [fences.map(({ id }) => id), fences.map(({ token }) => token), leaseUntil],
  )
  const standings = new Map<string, ClaimStanding>(
    rows.map((row) => [`${row.id} ${row.token}`, row.cancel_requested_at === null ? 'held' : 'cancelling']),
  )
  return fences.map(({ id, token }) => standings.get(`${id} ${token}`) ?? 'lost')
}
