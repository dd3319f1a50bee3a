import type { TicketRow, TicketRowPage } from '../../ticket/ticket-row.ts'
import type { TicketPage, TicketQuery } from '../../ticket/ticket-store.ts'
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
import { hasNoSummary, ROW_SELECTION } from '../row-columns.ts'
import type { Queryable, Row } from './database.ts'
import { listedRowOf, storableMetadata, storableText, ticketOf } from './ticket-row.ts'

/** The order of the indexes, so that a page is read from one of them whatever is asked for, a range of time too. */
const ORDER = 'ORDER BY created_at DESC, seq DESC'

/** How large a row is; PostgreSQL knows it without reading its texts. */
export const BYTES = `(coalesce(octet_length(event), 0) + coalesce(octet_length(content), 0)
  + coalesce(octet_length(outcome), 0) + coalesce(octet_length(answer), 0) + coalesce(octet_length(partial), 0)
  + octet_length(attempts))::bigint AS bytes`

/** What a page holds of each ticket, and how much that is to read. */
interface PageKind {
  readonly selection: string
  readonly bytes: string
  readonly readBytes?: number
}

const WHOLE: PageKind = { selection: '* FROM tickets', bytes: BYTES }

/** Rows are small: their tickets are not even looked at for how large they are. */
const ROWS: PageKind = {
  selection: `${ROW_SELECTION} FROM tickets LEFT JOIN ticket_rows AS side ON side.seq = tickets.seq`,
  bytes: '0 AS bytes',
  readBytes: Number.POSITIVE_INFINITY,
}

/** Newest first. */
export async function listTickets(at: Queryable, query: TicketQuery): Promise<TicketPage> {
  const { rows, ...more } = await listPage(at, query, WHOLE)
  return { tickets: rows.map(ticketOf), ...more }
}

/** The same as rows. */
export async function listRows(at: Queryable, query: TicketQuery): Promise<TicketRowPage> {
  const { rows, ...more } = await listPage(at, query, ROWS)
  const listed: TicketRow[] = []
  for (const row of rows) {
    // One at a time: they may be large.
    const [whole] = hasNoSummary(row)
      ? await ask(at, (given) => `SELECT * FROM tickets WHERE seq = ${given(row.seq)}`)
      : []
    listed.push(listedRowOf(row, whole && ticketOf(whole)))
  }
  return { rows: listed, ...more }
}

/** Walks along the index of the filter that the fewest tickets pass, and looks at the others there. */
async function listPage(at: Queryable, query: TicketQuery, page: PageKind) {
  const limit = pageSize(query)
  const looked = lookedThrough(query)
  const driver = await rarest(at, query)
  const { text } = query
  const { bytes } = text === undefined ? page : WHOLE
  const seqs = (rows: readonly Candidate[]) => rows.map(({ seq }) => String(seq))
  return await readPage<Row>(limit, {
    candidates: async () =>
      await ask(at, (given) => {
        const walked = walk({ driver, query, rows: looked }, given)
        // OFFSET 0: the walk stays one, whatever the planner thinks of the rest.
        return `SELECT tickets.seq, tickets.created_at, ${bytes}
          FROM (${walked} OFFSET 0) AS looked JOIN tickets USING (seq)
          WHERE ${otherConditions(query, driver, given)}
          ORDER BY looked.created_at DESC, looked.seq DESC LIMIT ${given(text === undefined ? limit + 1 : looked)}`
      }),
    ...(text !== undefined && {
      search: async (among) => {
        const found = await ask(
          at,
          (given) =>
            `SELECT seq FROM tickets WHERE seq = ANY(${given(seqs(among))}) AND ${textCondition(text, given)}`,
        )
        return new Set(found.map(({ seq }) => String(seq)))
      },
    }),
    read: (shown) =>
      ask(at, (given) => `SELECT ${page.selection} WHERE tickets.seq = ANY(${given(seqs(shown))})`),
    readBytes: page.readBytes,
    last: () => lastLooked(at, { driver, query, rows: looked }),
  })
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
  return rarestOf(all.map((driver, index) => ({ driver, number: Number(counted?.[`n${index}`]) })))
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

/** The last ticket that was looked at for a page that found too little; undefined: there were no more tickets. */
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

/** Puts a value among those of the statement; gives back its name there. */
type Given = (value: unknown) => string

/** A filter whose tickets an index gives, newest first. */
interface Driver {
  readonly name: string
  readonly table: 'tickets' | 'ticket_metadata' | 'ticket_rows'
  /** One for each value that passes. */
  readonly arms: readonly ((given: Given) => string)[]
}

/** Each column of a filter has an index, with the time and the number. */
function drivers(query: TicketQuery): readonly Driver[] {
  const columns = FILTERS.flatMap((filter): Driver[] => {
    const arms = storableValues(query, filter).map(
      (value) => (given: Given) => `${COLUMN_OF_FILTER[filter]} = ${given(value)}`,
    )
    return arms.length === 0 ? [] : [{ name: filter, table: 'tickets', arms }]
  })
  const metadata = Object.entries(query.metadata ?? {}).map(
    ([name, value]): Driver => ({
      name: `metadata.${name}`,
      table: 'ticket_metadata',
      // The table holds the beginning of both, because an index takes no long values.
      arms: [
        (given) =>
          `name = left(${given(storableText(name))}, 200) AND value = left(${given(storableText(value))}, 200)`,
      ],
    }),
  )
  return [...columns, ...metadata, ...sideFilters(query)]
}

/** Filters that are no column of a ticket: those of the table of rows, and a list of ids. */
function sideFilters({ callback, isWasted, ids }: TicketQuery): readonly SideFilter[] {
  const side = (name: string, arms: readonly ((given: Given) => string)[]): SideFilter => ({
    name,
    table: 'ticket_rows',
    arms,
    rest: (given) =>
      `EXISTS (SELECT 1 FROM ticket_rows AS side
        WHERE side.seq = tickets.seq AND (${arms.map((arm) => `side.${arm(given)}`).join(' OR ')}))`,
  })
  const callbacks = callback === undefined ? [] : [...new Set([callback].flat())]
  const among = (given: Given) => `tickets.id = ANY(${given(ids?.map(storableText))})`
  return [
    ...(callbacks.length === 0
      ? []
      : [
          side(
            'callback',
            callbacks.map((one) => (given: Given) => `callback = ${given(one)}`),
          ),
        ]),
    ...(isWasted ? [side('wasted', [() => 'wasted_ms > 0'])] : []),
    ...(ids === undefined ? [] : [{ name: 'ids', table: 'tickets', arms: [among], rest: among } as const]),
  ]
}

interface SideFilter extends Driver {
  /** The same, where it is not the driver. */
  readonly rest: (given: Given) => string
}

/** The filters that the driver does not apply. */
function otherConditions(query: TicketQuery, driver: Driver, given: Given): string {
  const columns = FILTERS.filter((filter) => filter !== driver.name).flatMap((filter) => {
    const values = storableValues(query, filter)
    return values.length === 0 ? [] : [`tickets.${COLUMN_OF_FILTER[filter]} = ANY(${given(values)})`]
  })
  const { metadata } = query
  return [
    'true',
    ...columns,
    ...(metadata === undefined ? [] : [`tickets.metadata @> ${given(storableMetadata(metadata))}::jsonb`]),
    ...sideFilters(query).flatMap(({ name, rest }) => (driver.name === name ? [] : [rest(given)])),
  ].join(' AND ')
}

const storableValues = (query: TicketQuery, filter: Filter): readonly string[] =>
  valuesOf(query, filter).map(storableText)

/** Not ILIKE, whose time grows with the length of the pattern for each character. */
function textCondition(text: string, given: Given): string {
  const wanted = given(storableText(text))
  const inJson = given(storableText(textInJson(text)))
  const holds = (column: string, one: string) => `position(lower(${one}) IN lower(${column})) > 0`
  const content = `CASE WHEN content_is_json THEN ${holds('content', inJson)} ELSE ${holds('content', wanted)} END`
  return `(${content} OR ${holds('answer', wanted)} OR ${holds('partial', wanted)})`
}
