import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Ticket } from '../../ticket/ticket.ts'
import type { ClaimRequest, WaitingTicket } from '../../ticket/ticket-store.ts'
import { withinBytes } from '../list-page.ts'
import { chooseServed, lastTurns, readsOf, readsOfEach, type Sender, scoreSql, takeTurns } from '../turns.ts'
import { BYTES } from './list-query.ts'
import { prepareToRead, type Row, ticketOf } from './ticket-row.ts'

/** The statements of the tickets that wait, and of who was served when. */
export type TurnTable = ReturnType<typeof createTurnTable>

export interface DueSearch extends Pick<ClaimRequest, 'limit' | 'choose'> {
  readonly now: number
  readonly busyBackends: readonly string[]
}

export function createTurnTable(database: DatabaseSync) {
  const prepare = (sql: string) => prepareToRead(database, sql)
  const queues = [createQueue(prepare, false), createQueue(prepare, true)] as const
  const noteTurn = prepare('INSERT OR REPLACE INTO turns (sender, served_at) VALUES (?, ?)')
  const sizes = prepare(`SELECT seq, ${BYTES} FROM tickets WHERE seq IN (SELECT value FROM json_each(?))`)
  const find = prepare('SELECT * FROM tickets WHERE seq IN (SELECT value FROM json_each(?))')
  const asleep =
    prepare(`SELECT seq FROM tickets INDEXED BY tickets_asleep WHERE ${HELD} AND not_before <= :now
    UNION ALL SELECT seq FROM tickets INDEXED BY tickets_paused WHERE ${HELD} AND paused_at > :now LIMIT :limit`)
  const wake = prepare('UPDATE tickets SET held = 0 WHERE seq IN (SELECT value FROM json_each(?))')
  const countWaiting = prepare(
    `SELECT count(*) AS number FROM (
      SELECT 1 FROM tickets INDEXED BY tickets_in_turn WHERE ${IN_LINE} AND sender = :sender UNION ALL
      SELECT 1 FROM tickets INDEXED BY tickets_asleep_of WHERE ${HELD} AND sender = :sender LIMIT :limit)`,
  )
  const seqsOf = (served: readonly WaitingTicket[]) => JSON.stringify(served.map(({ seq }) => seq))
  /** The first of them, as many as fit into one read. */
  const withinReach = (served: readonly WaitingTicket[]): readonly WaitingTicket[] => {
    const bytes = new Map(sizes.all(seqsOf(served)).map((row) => [Number(row.seq), row.bytes]))
    return withinBytes(served.map((one) => ({ ...one, bytes: bytes.get(one.seq) })))
  }
  return {
    /** Whether some of what was held back is due now. */
    isAsleep: (now: number): boolean => asleep.all({ now, limit: 1 }).length > 0,
    /** Puts some of it in line. */
    wake(now: number): void {
      const due = asleep.all({ now, limit: WAKE_STEP })
      wake.run(`[${due.map(({ seq }) => String(seq)).join()}]`)
    },
    /** Those whose turn it is, in its order; notes that they had it. */
    serve(search: DueSearch): readonly Ticket[] {
      const { now, busyBackends } = search
      const line = takeTurns(queues[busyBackends.length === 0 ? 0 : 1](search), readsOf(search), now)
      const served = chooseServed(line, search)
      if (served.length === 0) return []
      const some = served.length === 1 ? served : withinReach(served)
      for (const sender of lastTurns(some)) noteTurn.run(sender, now)
      const found = new Map(find.all(seqsOf(some)).map((row) => [Number(row.seq), ticketOf(row)]))
      return some.flatMap(({ seq }) => found.get(seq) ?? [])
    },
    /** How many tickets of a sender wait, up to a limit. */
    countWaiting: (sender: string, limit: number): number =>
      Number(countWaiting.get({ sender, limit })?.number),
  }
}

/** Tickets that are woken at a time: the event loop stands still for a few milliseconds at most. */
const WAKE_STEP = 250

/** Reads who waits. A search among backends has statements of its own, for most have no backend to leave out. */
function createQueue(prepare: (sql: string) => ReturnType<DatabaseSync['prepare']>, isPicky: boolean) {
  const allowed = `AND (wanted_backend IS NULL OR wanted_backend NOT IN (SELECT value FROM json_each(:busy)))`
  const due = `${IN_LINE} AND (not_before <= :now OR paused_at > :now) ${isPicky ? allowed : ''}`
  const first = prepare(`${SENDERS}
    SELECT senders.sender, last.served_at, last.turn FROM senders
      JOIN tickets AS head ON head.seq = (
        SELECT seq FROM tickets INDEXED BY tickets_in_turn WHERE sender = senders.sender AND ${due}
        ORDER BY rank, seq LIMIT 1)
      LEFT JOIN turns AS last ON last.sender = senders.sender
    ORDER BY ${scoreSql({ greater: 'max', smaller: 'min', now: ':now' })}, last.turn, head.rank, head.seq LIMIT :limit`)
  const heads = prepare(`SELECT seq, rank, priority, prefix FROM tickets INDEXED BY tickets_in_turn
    WHERE sender = :sender AND ${due} ORDER BY rank, seq LIMIT :limit`)
  return ({ now, busyBackends, ...request }: DueSearch): readonly Sender[] => {
    const values: Record<string, SQLInputValue> = { now, limit: readsOf(request) }
    if (isPicky) values.busy = JSON.stringify(busyBackends)
    const senders = first.all(values)
    values.limit = readsOfEach(request, senders.length)
    return senders.map((row): Sender => {
      const sender = String(row.sender)
      const waiting = heads.all({ ...values, sender }).map((one) => waitingTicket(one, sender))
      const hasMore = waiting.length === values.limit
      return { sender, servedAt: Number(row.served_at ?? 0), turn: Number(row.turn ?? 0), waiting, hasMore }
    })
  }
}

const IN_LINE = "status = 'queued' AND held = 0"
const HELD = "status = 'queued' AND held = 1"

/** Jumps from one sender to the next, so that the length of a backlog makes no difference. */
const SENDERS = `WITH RECURSIVE senders (sender) AS (
    SELECT min(sender) FROM tickets INDEXED BY tickets_in_turn WHERE ${IN_LINE}
    UNION ALL
    SELECT (SELECT min(sender) FROM tickets INDEXED BY tickets_in_turn
      WHERE ${IN_LINE} AND sender > senders.sender) FROM senders WHERE senders.sender IS NOT NULL)`

const waitingTicket = ({ seq, rank, priority, prefix }: Row, sender: string): WaitingTicket => ({
  seq: Number(seq),
  sender,
  rank: Number(rank),
  priority: Number(priority),
  ...(prefix != null && { prefix: String(prefix) }),
})
