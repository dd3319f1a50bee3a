import type { TicketPage, TicketQuery } from '../../ticket/ticket-store.ts'
import type { Queryable, Row } from './database.ts'
import { type Driver, drivers, type Given, otherConditions } from './list-conditions.ts'
import { ticketOf } from './ticket-row.ts'

/**
 * So many tickets are looked through for one page at most. Filters that exclude each other would else walk over all there
 * are; whoever wants to look further goes on with the cursor.
 */
const LOOKED = 2_000
/** A search for a text reads whole events. */
const SEARCHED = 1_500

/** The order of the indexes, so that a page is read from one of them whatever is asked for, a range of time too. */
const ORDER = 'ORDER BY created_at DESC, seq DESC'

/** Newest first. Walks along the index of the filter that the fewest tickets pass, and looks at the others there. */
export async function listTickets(at: Queryable, query: TicketQuery): Promise<TicketPage> {
  const limit = Math.min(Math.max(Math.trunc(query.limit ?? 50), 1), 200)
  const looked = query.text === undefined ? LOOKED : SEARCHED
  const driver = await rarest(at, query)
  const rows = await ask(at, (given) => {
    const walked = walk({ driver, query, rows: looked }, given)
    // OFFSET 0: the walk stays one, whatever the planner thinks of the rest.
    return `SELECT tickets.* FROM (${walked} OFFSET 0) AS looked JOIN tickets USING (seq)
      WHERE ${otherConditions(query, driver, given)}
      ORDER BY looked.created_at DESC, looked.seq DESC LIMIT ${given(limit + 1)}`
  })
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : await lastLooked(at, { driver, query, rows: looked })
  return {
    tickets: shown.map(ticketOf),
    ...(last === undefined ? {} : { nextCursor: writeCursor(last) }),
  }
}

interface Walk {
  readonly driver: Driver
  readonly query: TicketQuery
  readonly rows: number
}

/** Nothing that an index could find is asked for. */
const BY_TIME: Driver = { name: 'time', table: 'tickets', arms: [() => 'true'] }

async function rarest(at: Queryable, query: TicketQuery): Promise<Driver> {
  const all = drivers(query)
  const [first = BY_TIME, ...others] = all
  if (others.length === 0) return first
  const [counted] = await ask(at, (given) => {
    const counts = all.map((driver, index) => {
      const walked = walk({ driver, query, rows: LOOKED }, given)
      return `(SELECT count(*) FROM (${walked}) AS walked) AS n${index}`
    })
    return `SELECT ${counts.join(', ')}`
  })
  const numberOf = (driver: Driver) => Number(counted?.[`n${all.indexOf(driver)}`])
  return all.reduce((least, one) => (numberOf(one) < numberOf(least) ? one : least))
}

/** The newest of one filter. Each arm is read in order from the index. */
function walk({ driver, query, rows }: Walk, given: Given): string {
  const range = rangeOf(query, given)
  const arms = driver.arms.map(
    (arm) =>
      `(SELECT created_at, seq FROM ${driver.table} WHERE ${arm(given)}${range} ${ORDER} LIMIT ${rows})`,
  )
  return `SELECT * FROM (${arms.join(' UNION ALL ')}) AS walked ${ORDER} LIMIT ${rows}`
}

/** Where a page that found too little stopped to look; none: there was no more. */
async function lastLooked(at: Queryable, walked: Walk): Promise<Row | undefined> {
  const [last] = await ask(at, (given) => `${walk(walked, given)} OFFSET ${walked.rows - 1}`)
  return last
}

function rangeOf({ createdFrom, createdBefore, cursor }: TicketQuery, given: Given): string {
  return [
    ...(createdFrom === undefined ? [] : [` AND created_at >= ${given(createdFrom)}`]),
    ...(createdBefore === undefined ? [] : [` AND created_at < ${given(createdBefore)}`]),
    ...(cursor === undefined
      ? []
      : [` AND (created_at, seq) < (${readCursor(cursor).map(given).join(', ')})`]),
  ].join('')
}

function ask(at: Queryable, statement: (given: Given) => string): Promise<readonly Row[]> {
  const values: unknown[] = []
  const sql = statement((value) => `$${values.push(value)}`)
  return at.query(sql, values)
}

const writeCursor = ({ created_at, seq }: Row): string =>
  Buffer.from(`1:${created_at}:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
function readCursor(cursor: string): readonly [createdAt: number, seq: number] {
  const [, createdAt, seq] =
    /^1:(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  return [Number(createdAt ?? -1), Number(seq ?? 0)]
}
