import type { SQLInputValue } from 'node:sqlite'
import type { TicketQuery } from '../../ticket/ticket-store.ts'
import {
  type Candidate,
  COLUMN_OF_FILTER,
  FILTERS,
  type Filter,
  LOOKED,
  lookedThrough,
  pageSize,
  rarestOf,
  readCursor,
  readPage,
  textInJson,
  valuesOf,
} from '../list-page.ts'
import { ROW_SELECTION } from '../row-columns.ts'

interface Statement {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** Asks the database; gives back the rows. */
export type Ask<Row> = (statement: Statement) => readonly Row[]

type Fields = Readonly<Record<string, unknown>>

/** What a page holds of each ticket, and how much that is to read. */
interface PageKind {
  readonly selection: string
  readonly bytes: string
  readonly readBytes?: number
}

/** Newest first. Walks along the index of the filter that the fewest tickets pass, and looks at the others there. */
export function listTickets<Row extends Fields>(
  query: TicketQuery,
  ask: Ask<Row>,
  page: PageKind = WHOLE,
): ReturnType<typeof readPage<Row>> {
  const limit = pageSize(query)
  const range = rangeOf(query)
  const driver = rarest(drivers(query), range, ask)
  const walked = walk({ driver, range, rows: lookedThrough(query) })
  const search = searchOf(query)
  const asked = ({ seq }: Candidate) => String(seq)
  const among = (rows: readonly Candidate[]) => `[${rows.map(asked).join()}]`
  return readPage<Row>(limit, {
    candidates: async () =>
      ask(
        candidatesOf(
          walked,
          otherConditions(query, driver),
          search ? walked.rows : limit + 1,
          search ? WHOLE : page,
        ),
      ),
    ...(search && {
      search: async (rows) => {
        const sql = `SELECT seq FROM tickets WHERE seq IN (SELECT value FROM json_each(?)) AND ${search.sql}`
        return new Set(ask({ sql, values: [among(rows), ...search.values] }).map(({ seq }) => String(seq)))
      },
    }),
    read: async (rows) =>
      ask({
        sql: `SELECT ${page.selection} WHERE tickets.seq IN (SELECT value FROM json_each(?))`,
        values: [among(rows)],
      }),
    readBytes: page.readBytes,
    last: async () => ask(lastOf(walked))[0],
  })
}

function rarest<Row extends Fields>(all: readonly Driver[], range: Condition, ask: Ask<Row>): Driver {
  const [first = BY_TIME, ...others] = all
  if (others.length === 0) return first
  const counted = all.map((driver) => {
    const { sql, values } = walk({ driver, range, rows: LOOKED })
    const [counts] = ask({ sql: `SELECT count(*) AS number FROM (${sql})`, values })
    return { driver, number: Number(counts?.number) }
  })
  return rarestOf(counted)
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

/** How large a row is: read from its head, not from its texts. */
export const BYTES = `(coalesce(octet_length(event), 0) + coalesce(octet_length(outcome), 0)
  + coalesce(octet_length(partial), 0) + octet_length(attempts)) AS bytes`

const WHOLE: PageKind = { selection: '* FROM tickets', bytes: BYTES }

/** Rows are small: their tickets are not even looked at for how large they are. */
export const ROWS: PageKind = {
  selection: `${ROW_SELECTION} FROM tickets LEFT JOIN ticket_rows AS side USING (seq)`,
  bytes: '0 AS bytes',
  readBytes: Number.POSITIVE_INFINITY,
}

/** In the order of the walk, for it is the outer loop. */
function candidatesOf({ sql, values }: Walk, rest: Condition, rows: number, { bytes }: PageKind): Statement {
  return {
    sql: `SELECT tickets.seq, tickets.created_at, ${bytes} FROM (${sql}) AS looked
      CROSS JOIN tickets ON tickets.seq = looked.seq WHERE ${rest.sql} LIMIT ?`,
    values: [...values, ...rest.values, rows],
  }
}

/** The last ticket that was looked at for a page that found too little; undefined: there were no more tickets. */
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

interface Condition {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** A filter whose tickets an index gives, newest first. */
interface Driver {
  readonly name: string
  readonly source: string
  /** One for each value that passes. */
  readonly arms: readonly Condition[]
}

/** Of each filter: its index. */
const INDEXES: Readonly<Record<Filter, string>> = {
  statuses: 'tickets_by_status',
  kind: 'tickets_by_kind',
  backend: 'tickets_by_backend',
  model: 'tickets_by_model',
  error: 'tickets_by_error',
  eventId: 'tickets_by_event',
  caller: 'tickets_by_caller',
  door: 'tickets_by_door',
  idempotencyKey: 'tickets_by_key',
  replayOf: 'tickets_by_origin',
}

/** How many characters of a metadata value its table holds. */
const INDEXED_VALUE = 200

const METADATA_SOURCE = 'ticket_metadata'

const METADATA = 'name = ? AND value = substr(?, 1, 200)'

function drivers(query: TicketQuery): readonly Driver[] {
  const columns = FILTERS.flatMap((filter): Driver[] => {
    const values = valuesOf(query, filter)
    // Without API keys there is no index of their names to pay for.
    if (values.length === 0 || (filter === 'caller' && values[0] === '')) return []
    const column = COLUMN_OF_FILTER[filter]
    const inIndex = filter === 'caller' ? ` AND ${column} <> ''` : ''
    const arms = values.map((value) => ({ sql: `${column} = ?${inIndex}`, values: [value] }))
    return [{ name: filter, source: `tickets INDEXED BY ${INDEXES[filter]}`, arms }]
  })
  const metadata = Object.entries(query.metadata ?? {}).map(
    ([name, value]): Driver => ({
      name: metadataName(name),
      source: METADATA_SOURCE,
      arms: [{ sql: METADATA, values: [name, value] }],
    }),
  )
  return [...columns, ...metadata, ...sideFilters(query)]
}

/** Filters that are no column of a ticket: those of the table of rows, and a list of ids. */
function sideFilters({
  callback,
  isWasted,
  ids,
}: TicketQuery): readonly (Driver & { readonly rest: Condition })[] {
  const side = (name: string, index: string, arms: readonly Condition[]) => ({
    name,
    source: `ticket_rows INDEXED BY ${index}`,
    arms,
    rest: {
      sql: `EXISTS (SELECT 1 FROM ticket_rows AS side
        WHERE side.seq = tickets.seq AND (${arms.map(({ sql }) => `side.${sql}`).join(' OR ')}))`,
      values: arms.flatMap(({ values }) => values),
    },
  })
  const callbacks = callback === undefined ? [] : [...new Set([callback].flat())]
  const among = ids && {
    sql: 'tickets.id IN (SELECT value FROM json_each(?))',
    values: [JSON.stringify(ids)],
  }
  return [
    ...(callbacks.length === 0
      ? []
      : [
          side(
            'callback',
            'ticket_rows_by_callback',
            callbacks.map((one) => ({ sql: 'callback = ?', values: [one] })),
          ),
        ]),
    ...(isWasted ? [side('wasted', 'ticket_rows_wasted', [{ sql: 'wasted_ms > 0', values: [] }])] : []),
    ...(among ? [{ name: 'ids', source: 'tickets', arms: [among], rest: among }] : []),
  ]
}

const allOf = (conditions: readonly Condition[]): Condition => ({
  sql: ['1', ...conditions.map(({ sql }) => sql)].join(' AND '),
  values: conditions.flatMap(({ values }) => values),
})

/** The filters that the driver does not apply, and that need no text of a ticket. */
const otherConditions = (query: TicketQuery, driver: Driver): Condition =>
  allOf([
    ...FILTERS.filter((filter) => filter !== driver.name).flatMap((filter) => columnCondition(query, filter)),
    ...Object.entries(query.metadata ?? {})
      .filter(([name]) => driver.name !== metadataName(name))
      .map(([name, value]) => metadataCondition(name, value)),
    ...sideFilters(query)
      .filter(({ name }) => driver.name !== name)
      .map(({ rest }) => rest),
  ])

/** The filters for which whole events and answers have to be read; undefined: there are none. */
function searchOf({ text, metadata = {} }: TicketQuery): Condition | undefined {
  const conditions = [
    ...Object.entries(metadata).flatMap(([name, value]) => longMetadataCondition(name, value)),
    ...(text === undefined ? [] : [textCondition(text)]),
  ]
  return conditions.length === 0 ? undefined : allOf(conditions)
}

/** SQLite ends the whole statement at a text that is no JSON. */
function fieldOf(column: string, path: string): string {
  return `CASE WHEN json_valid(${column}) THEN json_extract(${column}, ${path}) END`
}

const metadataName = (name: string) => `metadata.${name}`

/** The column stands behind the event, which may be large: the index is asked instead. */
const DOOR_IN_INDEX = `EXISTS (SELECT 1 FROM tickets AS other INDEXED BY tickets_by_door
  WHERE other.door = ? AND other.created_at = tickets.created_at AND other.seq = tickets.seq)`

function columnCondition(query: TicketQuery, filter: Filter): readonly Condition[] {
  const values = valuesOf(query, filter)
  if (values.length === 0) return []
  if (filter === 'door') return [{ sql: DOOR_IN_INDEX, values: [values[0] ?? ''] }]
  return [{ sql: `tickets.${COLUMN_OF_FILTER[filter]} IN (${values.map(() => '?').join(', ')})`, values }]
}

const metadataCondition = (name: string, value: string): Condition => ({
  sql: `EXISTS (SELECT 1 FROM ${METADATA_SOURCE} AS other
      WHERE ${METADATA} AND other.created_at = tickets.created_at AND other.seq = tickets.seq)`,
  values: [name, value],
})

/** Only the beginning of a long value is in the table. */
const longMetadataCondition = (name: string, value: string): readonly Condition[] =>
  value.length < INDEXED_VALUE
    ? []
    : [
        {
          sql: `${fieldOf('tickets.event', '?')} = ?`,
          values: [`$.metadata.${JSON.stringify(name)}`, value],
        },
      ]

const FIELDS = [
  fieldOf('tickets.event', "'$.content'"),
  fieldOf('tickets.event', "'$.content'"),
  fieldOf('tickets.outcome', "'$.completion'"),
  'tickets.partial',
]

/** Not LIKE, whose time grows with the length of the pattern for each character. Any case, of ASCII. */
function textCondition(text: string): Condition {
  const inJson = textInJson(text)
  return {
    sql: `(${FIELDS.map((field) => `instr(lower(${field}), lower(?))`).join(' OR ')})`,
    values: [text, inJson, text, text],
  }
}
