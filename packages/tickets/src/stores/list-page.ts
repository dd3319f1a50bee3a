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

/** Where a page of a list ends, as it stands in the row: nobody may have put it in range. */
export const writeCursor = ({ created_at, seq }: Readonly<Record<string, unknown>>): string =>
  Buffer.from(`1:${created_at}:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
export function readCursor(cursor: string): readonly [createdAt: bigint, seq: bigint] {
  const [, createdAt, seq] =
    /^1:(-?\d{1,19}):(-?\d{1,19})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (createdAt === undefined || seq === undefined) return NOTHING_AFTER
  const place = [BigInt(createdAt), BigInt(seq)] as const
  return place.every((value) => BigInt.asIntN(64, value) === value) ? place : NOTHING_AFTER
}

const LOWEST = -(2n ** 63n)
const NOTHING_AFTER = [LOWEST, LOWEST] as const
