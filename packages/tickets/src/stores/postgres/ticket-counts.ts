import type { TicketStats } from '../../ticket/ticket-store.ts'
import { statsOf } from '../ticket-columns.ts'
import type { Queryable } from './database.ts'

/** How many differences a reader adds up; more of them are made one row a status. */
const MOST_ROWS = 1_000

/** Servers that add up at the same time take different rows; a reader sees the rows of before or those of after. */
const ADD_UP = `WITH gone AS (
    DELETE FROM counts WHERE ctid = ANY (ARRAY(SELECT ctid FROM counts LIMIT 50000 FOR UPDATE SKIP LOCKED))
    RETURNING status, number
  ) INSERT INTO counts SELECT status, sum(number) FROM gone GROUP BY status`

export async function countQueued(at: Queryable): Promise<number> {
  return (await readCounts(at)).get('queued') ?? 0
}

export async function readStats(at: Queryable): Promise<TicketStats> {
  const counted = await readCounts(at)
  const [oldest] = await at.query(
    "SELECT created_at FROM tickets WHERE status = 'queued' ORDER BY seq LIMIT 1",
  )
  return statsOf(counted, oldest)
}

async function readCounts(at: Queryable): Promise<ReadonlyMap<unknown, number>> {
  const rows = await at.query(
    'SELECT status, sum(number) AS number, count(*) AS rows FROM counts GROUP BY status',
  )
  if (rows.reduce((sum, { rows: number }) => sum + Number(number), 0) > MOST_ROWS) await at.query(ADD_UP)
  return new Map(rows.map(({ status, number }) => [status, Number(number)]))
}
