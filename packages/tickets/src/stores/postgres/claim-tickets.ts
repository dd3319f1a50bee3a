import { claimTicket, type Fence, type Lease, type Ticket } from '../../ticket/ticket.ts'
import type { ClaimRequest, ClaimStanding, WaitingTicket } from '../../ticket/ticket-store.ts'
import { withinBytes } from '../list-page.ts'
import {
  chooseServed,
  inTurn,
  isSettled,
  lastTurns,
  readsOf,
  readsOfEach,
  type Sender,
  takeTurns,
} from '../turns.ts'
import type { Queryable, Row } from './database.ts'
import { BYTES } from './list-query.ts'
import { ticketOf } from './ticket-row.ts'
import { updateTickets } from './ticket-table.ts'

export interface ClaimContext extends Pick<ClaimRequest, 'limit' | 'choose'> {
  readonly lease: Lease
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
    const line = takeTurns(senders, readsOf({ ...context, limit: missing }), lease.now)
    const served = chooseServed(line, { ...context, limit: missing })
    if (served.length === 0) break
    const some = await withinReach(at, served)
    const found = await lockWaiting(at, some)
    const taken = some.filter(({ seq }) => found.has(seq))
    await noteTurns(at, lastTurns(taken), lease.now)
    for (const { seq } of taken) {
      const before = found.get(seq)
      const after = before && claimTicket(before, lease)
      if (after) claimed.push(after)
    }
    if (taken.length === some.length) break
    passed.push(...some.map(({ seq }) => seq))
  }
  await updateTickets(at, claimed)
  return claimed
}

/** The first of them, as many as fit into one read. */
async function withinReach(
  at: Queryable,
  served: readonly WaitingTicket[],
): Promise<readonly WaitingTicket[]> {
  if (served.length === 1) return served
  const rows = await at.query(`SELECT seq, ${BYTES} FROM tickets WHERE seq = ANY($1)`, [
    served.map(({ seq }) => seq),
  ])
  const bytes = new Map(rows.map((row) => [Number(row.seq), row.bytes]))
  return withinBytes(served.map((one) => ({ ...one, bytes: bytes.get(one.seq) })))
}

/** Of those that were looked at, what no other server has taken. */
async function lockWaiting(
  at: Queryable,
  served: readonly WaitingTicket[],
): Promise<ReadonlyMap<number, Ticket>> {
  const rows = await at.query(
    "SELECT * FROM tickets WHERE seq = ANY($1) AND status = 'queued' FOR UPDATE SKIP LOCKED",
    [served.map(({ seq }) => seq)],
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

/** Those who may come to their turn, each with its first tickets. */
async function readSenders(at: Queryable, search: SenderSearch): Promise<readonly Sender[]> {
  const { lease, busyBackends, passed } = search
  const limit = readsOf(search)
  const first = await walkLine(at, { ...search, limit })
  // One ticket is claimed mostly, and its sender's next one is nobody's business then.
  if (limit === 1 || first.length === 0) return first
  const ofEach = readsOfEach(search, first.length)
  const rows = await at.query(HEADS, [
    lease.now,
    ofEach,
    busyBackends,
    passed,
    first.map(({ sender }) => sender),
  ])
  const waiting = Map.groupBy(rows, ({ sender }) => String(sender))
  return first.map((one) => {
    const own = (waiting.get(one.sender) ?? []).map(waitingTicket)
    return { ...one, waiting: own, hasMore: own.length === ofEach }
  })
}

/** Rows of the line that are read first; each further step reads four times as many. */
const FIRST_STEP = 16
const STEP_GROWTH = 4

/**
 * The senders with the lowest scores, each with its first ticket. It walks along the line in the order of the last turns,
 * and stops where nobody behind can have a lower score: so neither the length of a backlog nor the number of its senders
 * makes a difference.
 */
async function walkLine(
  at: Queryable,
  { lease, limit, busyBackends, passed }: SenderSearch,
): Promise<readonly Sender[]> {
  const { now } = lease
  const [most] = await at.query(MOST_PRIORITY)
  if (most?.priority == null) return []
  const found = new Map<string, Sender>()
  const idle: string[] = []
  let place: readonly unknown[] = [-1, 0]
  for (let step = Math.max(FIRST_STEP, limit + 1); ; step *= STEP_GROWTH) {
    const rows = await at.query(LINE, [now, 1, busyBackends, passed, ...place, step])
    for (const row of rows) {
      const sender = String(row.sender)
      if (row.is_idle === true) idle.push(sender)
      if (row.seq === null) continue
      const { last_served_at: servedAt, last_place: turn } = row
      found.set(sender, {
        sender,
        servedAt: Number(servedAt),
        turn: Number(turn),
        waiting: [waitingTicket(row)],
      })
    }
    const end = rows.at(-1)
    if (end === undefined || rows.length < step) break
    const behind = {
      servedAt: Number(end.served_at),
      turn: Number(end.place),
      priority: Number(most.priority),
    }
    if (isSettled([...found.values()], { limit, now, behind })) break
    place = [end.served_at, end.place]
  }
  await leaveLine(at, idle)
  return inTurn([...found.values()], now).slice(0, limit)
}

/** Nothing waits for them: they leave the line. One who comes back at this moment keeps a row, or gets one of its own. */
async function leaveLine(at: Queryable, senders: readonly string[]): Promise<void> {
  if (senders.length === 0) return
  const locked = await at.query(
    'SELECT turn FROM turns WHERE sender = ANY($1::text[]) FOR UPDATE SKIP LOCKED',
    [senders],
  )
  // A statement of its own: it sees the tickets of those who had the rows locked before.
  await at.query(`DELETE FROM turns WHERE turn = ANY($1::bigint[]) AND NOT ${HAS_TICKETS}`, [
    locked.map(({ turn }) => turn),
  ])
}

const IN_LINE = "status = 'queued' AND NOT held"

/** One that runs may come back to its place, so its sender keeps its turn until then. */
const HAS_TICKETS = `(EXISTS (SELECT 1 FROM tickets WHERE ${IN_LINE} AND tickets.sender = turns.sender)
  OR EXISTS (SELECT 1 FROM tickets WHERE status = 'in_progress' AND tickets.sender = turns.sender))`

const MOST_PRIORITY = `SELECT max(priority) AS priority FROM tickets WHERE ${IN_LINE}`

const headsOf = (sender: string, columns: string) => `SELECT ${columns} FROM tickets
  WHERE ${IN_LINE} AND sender = ${sender} AND (not_before <= $1::bigint OR paused_at > $1::bigint)
    AND (wanted_backend IS NULL OR NOT wanted_backend = ANY($3::text[])) AND NOT seq = ANY($4::bigint[])
  ORDER BY rank, seq LIMIT $2::bigint`

/** Of several rows of a sender the last one counts. */
const LINE = `SELECT turns.*, last.*, head.*, head.seq IS NULL AND NOT ${HAS_TICKETS} AS is_idle
  FROM (SELECT sender, served_at, place FROM turns WHERE (served_at, place) > ($5::bigint, $6::bigint)
      ORDER BY served_at, place LIMIT $7::bigint) AS turns
    CROSS JOIN LATERAL (
      SELECT last.served_at AS last_served_at, last.place AS last_place FROM turns AS last
      WHERE last.sender = turns.sender ORDER BY last.served_at DESC, last.place DESC LIMIT 1
    ) AS last
    LEFT JOIN LATERAL (${headsOf('turns.sender', 'seq, rank, priority, prefix')}) AS head ON true
  ORDER BY turns.served_at, turns.place`

const HEADS = `SELECT given.sender, head.* FROM unnest($5::text[]) AS given (sender)
  CROSS JOIN LATERAL (${headsOf('given.sender', 'seq, rank, priority, prefix')}) AS head ORDER BY head.rank, head.seq`

const waitingTicket = ({ seq, sender, rank, priority, prefix }: Row): WaitingTicket => ({
  seq: Number(seq),
  sender: String(sender),
  rank: Number(rank),
  priority: Number(priority),
  ...(prefix != null && { prefix: String(prefix) }),
})

/** Tickets that are woken in one statement. */
const WAKE_STEP = 1_000

const SOON = (condition: string) =>
  `SELECT seq FROM tickets WHERE status = 'queued' AND held AND ${condition}`

const ASLEEP = `SELECT EXISTS (${SOON('not_before <= $1')}) AS are_due, EXISTS (${SOON('paused_at > $1')}) AS are_early`

const wakeSql = (condition: string) => `UPDATE tickets SET held = false WHERE seq = ANY (ARRAY(
  ${SOON(condition)} LIMIT ${WAKE_STEP} FOR UPDATE SKIP LOCKED)) RETURNING seq`

/** Puts in line what was held back and is due now. Each step is a transaction of its own, for thousands may be due at eight. */
export async function wakeTickets(at: Queryable, now: number): Promise<void> {
  const [asleep] = await at.query(ASLEEP, [now])
  const conditions = [
    asleep?.are_due === true && 'not_before <= $1',
    asleep?.are_early === true && 'paused_at > $1',
  ]
  for (const condition of conditions) {
    if (condition === false) continue
    const sql = wakeSql(condition)
    while ((await at.query(sql, [now])).length === WAKE_STEP);
  }
}

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
