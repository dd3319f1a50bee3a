import type { TicketQuery } from '../../ticket/ticket-store.ts'
import { storableText } from './storable-text.ts'
import { storableMetadata } from './ticket-row.ts'

/** Puts a value among those of the statement; gives back its name there. */
export type Given = (value: unknown) => string

/** A filter whose tickets an index gives, newest first. */
export interface Driver {
  readonly name: string
  readonly table: 'tickets' | 'ticket_metadata'
  /** One for each value that passes. */
  readonly arms: readonly ((given: Given) => string)[]
}

/** Each has an index with its column, the time and the number. */
const COLUMNS = {
  statuses: 'status',
  kind: 'kind',
  backend: 'backend',
  model: 'model',
  error: 'error',
  eventId: 'event_id',
  caller: 'caller',
  idempotencyKey: 'idempotency_key',
  replayOf: 'replay_of',
} as const satisfies Partial<Record<keyof TicketQuery, string>>

type Filter = keyof typeof COLUMNS

const FILTERS = Object.keys(COLUMNS) as Filter[]

export function drivers(query: TicketQuery): readonly Driver[] {
  const columns = FILTERS.flatMap((filter): Driver[] => {
    const arms = valuesOf(query, filter).map(
      (value) => (given: Given) => `${COLUMNS[filter]} = ${given(value)}`,
    )
    return arms.length === 0 ? [] : [{ name: filter, table: 'tickets', arms }]
  })
  const metadata = Object.entries(query.metadata ?? {}).map(
    ([name, value]): Driver => ({
      name: `metadata.${name}`,
      table: 'ticket_metadata',
      // So much of both is in the table, for an index takes no long values.
      arms: [
        (given) =>
          `name = left(${given(storableText(name))}, 200) AND value = left(${given(storableText(value))}, 200)`,
      ],
    }),
  )
  return [...columns, ...metadata]
}

/** What the driver has not seen to. */
export function otherConditions(query: TicketQuery, driver: Driver, given: Given): string {
  const columns = FILTERS.filter((filter) => filter !== driver.name).flatMap((filter) => {
    const values = valuesOf(query, filter)
    return values.length === 0 ? [] : [`tickets.${COLUMNS[filter]} = ANY(${given(values)})`]
  })
  const { metadata, text } = query
  return [
    'true',
    ...columns,
    ...(metadata === undefined ? [] : [`tickets.metadata @> ${given(storableMetadata(metadata))}::jsonb`]),
    ...(text === undefined ? [] : [textCondition(text, given)]),
  ].join(' AND ')
}

function valuesOf(query: TicketQuery, filter: Filter): readonly string[] {
  const value = query[filter]
  return value === undefined ? [] : [...new Set([value].flat().map(storableText))]
}

/** A content that is no text is JSON: there a quote or a line break stands with its backslash. */
function textCondition(text: string, given: Given): string {
  const like = given(pattern(text))
  const likeInJson = given(pattern(JSON.stringify(text).slice(1, -1)))
  const content = `CASE WHEN content_is_json THEN content ILIKE ${likeInJson} ELSE content ILIKE ${like} END`
  return `(${content} OR answer ILIKE ${like} OR partial ILIKE ${like})`
}

const pattern = (text: string) => `%${storableText(text).replace(/[\\%_]/g, '\\$&')}%`
