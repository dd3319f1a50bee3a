import type { SQLInputValue } from 'node:sqlite'
import type { TicketQuery } from '../../ticket/ticket-store.ts'

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
    sql: 'json_extract(tickets.event, ?) = ?',
    values: [`$.metadata.${JSON.stringify(name)}`, value],
  }
  return [
    ...(driver.name === metadataName(name) ? [] : [indexed]),
    // Only the beginning of a long value is in the table.
    ...(value.length < INDEXED_VALUE ? [] : [whole]),
  ]
}

const FIELDS = [
  "json_extract(tickets.event, '$.content')",
  "json_extract(tickets.event, '$.content')",
  "json_extract(tickets.outcome, '$.completion')",
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
