import type { TicketQuery } from '../ticket/ticket-store.ts'

/**
 * How many tickets are looked through for one page. Filters that exclude each other would otherwise walk over all of
 * them; to look further, go on with the cursor.
 */
export const LOOKED = 2_000
/** A search for a text reads whole events. */
const SEARCHED = 1_500

/** Bytes of events and answers that one search reads: the event loop stands still meanwhile, or PostgreSQL works for nobody else. */
const SEARCHED_BYTES = 4 * 1_024 * 1_024
/** Bytes of tickets that one statement gives back: 200 tickets of 16 MiB would end the process. */
const READ_BYTES = 4 * 1_024 * 1_024

/** A row that is looked at without its texts. */
export interface Candidate {
  readonly created_at?: unknown
  readonly seq?: unknown
  readonly bytes?: unknown
}

/** The first of them, as many as fit; one always does. */
export function withinBytes<Row extends Candidate>(rows: readonly Row[], bytes = READ_BYTES): readonly Row[] {
  let sum = 0
  const end = rows.findIndex((row, index) => {
    sum += Number(row.bytes ?? 0)
    return index > 0 && sum > bytes
  })
  return end < 0 ? rows : rows.slice(0, end)
}

/** Reads a page in steps, so that none of them reads more than a bounded number of bytes. */
export interface PageSteps<Row> {
  /** Tickets in order that pass what costs nothing to look at, one more than the page holds; with a search, all that are looked through. */
  candidates(): Promise<readonly Candidate[]>
  /** Of these, those that pass what has to be read for it; undefined: nothing has. */
  readonly search?: (among: readonly Candidate[]) => Promise<ReadonlySet<string>>
  read(shown: readonly Candidate[]): Promise<readonly Row[]>
  /** Bytes of tickets that `read` may give back. Default: 4 MiB. */
  readonly readBytes?: number | undefined
  /** The last ticket that was looked at for a page that found too little; undefined: there were no more tickets. */
  last(): Promise<Readonly<Record<string, unknown>> | undefined>
}

export async function readPage<Row extends Readonly<Record<string, unknown>>>(
  limit: number,
  steps: PageSteps<Row>,
): Promise<{ readonly rows: readonly Row[]; readonly nextCursor?: string }> {
  const candidates = await steps.candidates()
  const searched = steps.search ? withinBytes(candidates, SEARCHED_BYTES) : candidates
  const passed = await steps.search?.(searched)
  const found = passed ? searched.filter(({ seq }) => passed.has(String(seq))) : searched
  const shown = withinBytes(found.slice(0, limit), steps.readBytes)
  const rows = shown.length === 0 ? [] : await steps.read(shown)
  const isWhole = shown.length === found.length
  const last = !isWhole
    ? shown.at(-1)
    : searched.length < candidates.length
      ? searched.at(-1)
      : await steps.last()
  const inOrder = new Map(rows.map((row) => [String(row.seq), row] as const))
  return {
    rows: shown.map(({ seq }) => inOrder.get(String(seq))).filter((row) => row !== undefined),
    ...(last === undefined ? {} : { nextCursor: writeCursor(last) }),
  }
}

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
  door: 'door',
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

/** A content that is no text is kept as JSON, where a quote or a line break has its backslash. */
export const textInJson = (text: string): string => JSON.stringify(text).slice(1, -1)

/** Where a page of a list ends, as it stands in the row: nobody may have put it in range. */
const writeCursor = ({
  created_at,
  seq,
}: {
  readonly created_at?: unknown
  readonly seq?: unknown
}): string => Buffer.from(`1:${created_at}:${seq}`).toString('base64url')

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
