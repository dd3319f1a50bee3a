import type { TicketQuery } from '../ticket/ticket-store.ts'

/**
 * How many tickets are looked through for one page. Filters that exclude each other would otherwise walk over all of
 * them; to look further, go on with the cursor.
 */
export const LOOKED = 2_000
/** A search for a text reads whole events. */
const SEARCHED = 1_500

export const lookedThrough = ({ text }: TicketQuery): number => (text === undefined ? LOOKED : SEARCHED)

export const pageSize = ({ limit = 50 }: TicketQuery): number => Math.min(Math.max(Math.trunc(limit), 1), 200)

/** Filters that are equal to a column. */
export const COLUMN_OF_FILTER = {
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

export type Filter = keyof typeof COLUMN_OF_FILTER

export const FILTERS = Object.keys(COLUMN_OF_FILTER) as Filter[]

/** Any of these passes; none: the filter is not asked for. */
export function valuesOf(query: TicketQuery, filter: Filter): readonly string[] {
  const value = query[filter]
  return value === undefined ? [] : [...new Set([value].flat())]
}

/** The filter with the fewest tickets, by what was counted for each; the first one among equals. */
export const rarestOf = <Driver>(counted: readonly { readonly driver: Driver; readonly number: number }[]) =>
  counted.reduce((least, one) => (one.number < least.number ? one : least)).driver

/** For LIKE: the text anywhere, its own wildcards taken as they are. */
export const likePattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`

/** A content that is no text is kept as JSON, where a quote or a line break has its backslash. */
export const textInJson = (text: string): string => JSON.stringify(text).slice(1, -1)
