import type { SQLInputValue } from 'node:sqlite'
import type { TicketQuery } from '../../ticket/ticket-store.ts'
import { type Condition, type Driver, drivers, otherConditions } from './list-conditions.ts'

export interface Statement {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** Asks the database; gives back the rows. */
export type Ask<Row> = (statement: Statement) => readonly Row[]

/**
 * So many tickets are looked through for one page at most. Filters that exclude each other would else walk over all there
 * are; whoever wants to look further goes on with the cursor.
 */
const LOOKED = 2_000
/** A search for a text reads whole events. */
const SEARCHED = 1_500

export interface ListedPage<Row> {
  readonly rows: readonly Row[]
  readonly nextCursor?: string
}

type Fields = Readonly<Record<string, unknown>>

/** Newest first. Walks along the index of the filter that the fewest tickets pass, and looks at the others there. */
export function listTickets<Row extends Fields>(query: TicketQuery, ask: Ask<Row>): ListedPage<Row> {
  const limit = Math.min(Math.max(Math.trunc(query.limit ?? 50), 1), 200)
  const range = rangeOf(query)
  const driver = rarest(drivers(query), range, ask)
  const walked = walk({ driver, range, rows: query.text === undefined ? LOOKED : SEARCHED })
  const rows = ask(page(walked, otherConditions(query, driver), limit + 1))
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : ask(lastOf(walked))[0]
  return { rows: shown, ...(last === undefined ? {} : { nextCursor: writeCursor(last) }) }
}

function rarest<Row extends Fields>(all: readonly Driver[], range: Condition, ask: Ask<Row>): Driver {
  const [first = BY_TIME, ...others] = all
  if (others.length === 0) return first
  const counted = all.map((driver) => {
    const { sql, values } = walk({ driver, range, rows: LOOKED })
    const [counts] = ask({ sql: `SELECT count(*) AS number FROM (${sql})`, values })
    return { driver, number: Number(counts?.number) }
  })
  return counted.reduce((least, one) => (one.number < least.number ? one : least)).driver
}

/** Nothing that an index could find is asked for: both kinds, each in its order. One index less to keep for each accept. */
const BY_TIME: Driver = {
  name: 'time',
  source: 'tickets INDEXED BY tickets_by_kind',
  arms: ['ticket', 'event'].map((kind) => ({ sql: 'kind = ?', values: [kind] })),
}

interface Walk extends Statement {
  readonly rows: number
}

/** The newest of one filter. Each arm is read in order from the index, and SQLite merges them. */
function walk({ driver, range, rows }: { driver: Driver; range: Condition; rows: number }): Walk {
  const arms = driver.arms.map(
    ({ sql }) => `SELECT created_at, seq FROM ${driver.source} WHERE ${sql} AND ${range.sql}`,
  )
  return {
    sql: `${arms.join(' UNION ALL ')} ORDER BY created_at DESC, seq DESC LIMIT ${rows}`,
    values: driver.arms.flatMap(({ values }) => [...values, ...range.values]),
    rows,
  }
}

/** One row more than is shown tells whether there is a next page. In the order of the walk, for it is the outer loop. */
function page({ sql, values }: Walk, rest: Condition, rows: number): Statement {
  return {
    sql: `SELECT tickets.* FROM (${sql}) AS looked CROSS JOIN tickets ON tickets.seq = looked.seq
      WHERE ${rest.sql} LIMIT ?`,
    values: [...values, ...rest.values, rows],
  }
}

/** Where a page that found too little stopped to look; none: there was no more. */
const lastOf = ({ sql, values, rows }: Walk): Statement => ({
  sql: `SELECT * FROM (${sql}) LIMIT 1 OFFSET ${rows - 1}`,
  values,
})

function rangeOf({ createdFrom, createdBefore, cursor }: TicketQuery): Condition {
  const conditions = ['1']
  const values: SQLInputValue[] = []
  const where = (sql: string, ...given: readonly SQLInputValue[]) => {
    conditions.push(sql)
    values.push(...given)
  }
  if (createdFrom !== undefined) where('created_at >= ?', createdFrom)
  if (createdBefore !== undefined) where('created_at < ?', createdBefore)
  if (cursor !== undefined) where('(created_at, seq) < (?, ?)', ...readCursor(cursor))
  return { sql: conditions.join(' AND '), values }
}

const writeCursor = ({ created_at, seq }: Fields): string =>
  Buffer.from(`1:${created_at}:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
function readCursor(cursor: string): readonly [createdAt: number, seq: number] {
  const [, createdAt, seq] =
    /^1:(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  return [Number(createdAt ?? -1), Number(seq ?? 0)]
}
