import type { SQLInputValue } from 'node:sqlite'
import type { TicketQuery } from '../../ticket/ticket-store.ts'
import { readCursor, writeCursor } from '../list-cursor.ts'

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

export interface Condition {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** A filter whose tickets an index gives, newest first. */
export interface Driver {
  readonly name: string
  readonly source: string
  /** One for each value that passes. */
  readonly arms: readonly Condition[]
}

/** Of each: its column and its index. */
const COLUMNS = {
  statuses: ['status', 'tickets_by_status'],
  kind: ['kind', 'tickets_by_kind'],
  backend: ['backend', 'tickets_by_backend'],
  model: ['model', 'tickets_by_model'],
  error: ['error', 'tickets_by_error'],
  eventId: ['event_id', 'tickets_by_event'],
  caller: ['caller', 'tickets_by_caller'],
  idempotencyKey: ['idempotency_key', 'tickets_by_key'],
  replayOf: ['replay_of', 'tickets_by_origin'],
} as const satisfies Partial<Record<keyof TicketQuery, readonly [column: string, index: string]>>

type Filter = keyof typeof COLUMNS

const FILTERS = Object.keys(COLUMNS) as Filter[]

/** So much of a value of the metadata is in its table. */
const INDEXED_VALUE = 200

const METADATA_SOURCE = 'ticket_metadata'

const METADATA = 'name = ? AND value = substr(?, 1, 200)'

export function drivers(query: TicketQuery): readonly Driver[] {
  const columns = FILTERS.flatMap((filter): Driver[] => {
    const values = valuesOf(query, filter)
    // Without API keys nobody pays for an index of their names.
    if (values.length === 0 || (filter === 'caller' && values[0] === '')) return []
    const [column, index] = COLUMNS[filter]
    const inIndex = filter === 'caller' ? ` AND ${column} <> ''` : ''
    const arms = values.map((value) => ({ sql: `${column} = ?${inIndex}`, values: [value] }))
    return [{ name: filter, source: `tickets INDEXED BY ${index}`, arms }]
  })
  const metadata = Object.entries(query.metadata ?? {}).map(
    ([name, value]): Driver => ({
      name: metadataName(name),
      source: METADATA_SOURCE,
      arms: [{ sql: METADATA, values: [name, value] }],
    }),
  )
  return [...columns, ...metadata]
}

/** What the driver has not seen to. */
export function otherConditions(query: TicketQuery, driver: Driver): Condition {
  const conditions: Condition[] = [
    ...FILTERS.filter((filter) => filter !== driver.name).flatMap((filter) => columnCondition(query, filter)),
    ...Object.entries(query.metadata ?? {}).flatMap(([name, value]) =>
      metadataCondition(name, value, driver),
    ),
    ...(query.text === undefined ? [] : [textCondition(query.text)]),
  ]
  return {
    sql: ['1', ...conditions.map(({ sql }) => sql)].join(' AND '),
    values: conditions.flatMap(({ values }) => values),
  }
}

/** SQLite ends the whole statement at a text that is no JSON. */
function fieldOf(column: string, path: string): string {
  return `CASE WHEN json_valid(${column}) THEN json_extract(${column}, ${path}) END`
}

const metadataName = (name: string) => `metadata.${name}`

function valuesOf(query: TicketQuery, filter: Filter): readonly string[] {
  const value = query[filter]
  return value === undefined ? [] : [...new Set([value].flat())]
}

function columnCondition(query: TicketQuery, filter: Filter): readonly Condition[] {
  const values = valuesOf(query, filter)
  if (values.length === 0) return []
  return [{ sql: `tickets.${COLUMNS[filter][0]} IN (${values.map(() => '?').join(', ')})`, values }]
}

function metadataCondition(name: string, value: string, driver: Driver): readonly Condition[] {
  const indexed: Condition = {
    sql: `EXISTS (SELECT 1 FROM ${METADATA_SOURCE} AS other
      WHERE ${METADATA} AND other.created_at = tickets.created_at AND other.seq = tickets.seq)`,
    values: [name, value],
  }
  const whole: Condition = {
    sql: `${fieldOf('tickets.event', '?')} = ?`,
    values: [`$.metadata.${JSON.stringify(name)}`, value],
  }
  return [
    ...(driver.name === metadataName(name) ? [] : [indexed]),
    // Only the beginning of a long value is in the table.
    ...(value.length < INDEXED_VALUE ? [] : [whole]),
  ]
}

const FIELDS = [
  fieldOf('tickets.event', "'$.content'"),
  fieldOf('tickets.event', "'$.content'"),
  fieldOf('tickets.outcome', "'$.completion'"),
  'tickets.partial',
]

function textCondition(text: string): Condition {
  return {
    sql: `(${FIELDS.map((field) => `${field} LIKE ? ESCAPE '\\'`).join(' OR ')})`,
    values: patterns(text),
  }
}

/** For each field. A content that is no text is JSON: there a quote or a line break stands with its backslash. */
function patterns(text: string): readonly string[] {
  const pattern = (of: string) => `%${of.replace(/[\\%_]/g, '\\$&')}%`
  return [pattern(text), pattern(JSON.stringify(text).slice(1, -1)), pattern(text), pattern(text)]
}
