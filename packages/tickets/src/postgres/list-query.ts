import type { TicketQuery } from '../ticket-store.ts'
import { storableText } from './storable-text.ts'
import { storableMetadata } from './ticket-row.ts'
import type { StoredTicket } from './ticket-table.ts'

export interface ListStatement {
  readonly sql: string
  readonly values: readonly unknown[]
  readonly limit: number
}

/** A search for a text reads whole events: so many of the newest matches are looked through, not all there are. */
const SEARCHED = 20_000

/** The order of the indexes, so that a page is read from one of them whatever is asked for, a range of time too. */
const ORDER = 'ORDER BY created_at DESC, seq DESC'

/** One row more than asked for tells whether there is a next page. */
export function listStatement(query: TicketQuery): ListStatement {
  const limit = Math.min(Math.max(Math.trunc(query.limit ?? 50), 1), 200)
  const values: unknown[] = []
  const given = (value: unknown) => `$${values.push(value)}`
  const conditions = conditionsOf(query, given)
  const all = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const newest = (rows: number) => `SELECT * FROM tickets ${all} ${ORDER} LIMIT ${given(rows)}`
  if (query.text === undefined) return { sql: newest(limit + 1), values, limit }
  const searched = newest(SEARCHED)
  const found = textCondition(query.text, given)
  return {
    sql: `SELECT * FROM (${searched}) AS searched WHERE ${found} ${ORDER} LIMIT ${given(limit + 1)}`,
    values,
    limit,
  }
}

type Given = (value: unknown) => string

function conditionsOf(query: TicketQuery, given: Given): string[] {
  const equal = (column: string, value: string | undefined) =>
    value === undefined ? [] : [`${column} = ${given(storableText(value))}`]
  const { statuses, createdFrom, createdBefore, metadata, cursor } = query
  return [
    ...statusCondition(statuses, given),
    ...equal('kind', query.kind),
    ...equal('backend', query.backend),
    ...equal('model', query.model),
    ...equal('error', query.error),
    ...equal('event_id', query.eventId),
    ...equal('caller', query.caller),
    ...equal('idempotency_key', query.idempotencyKey),
    ...equal('replay_of', query.replayOf),
    ...(createdFrom === undefined ? [] : [`created_at >= ${given(createdFrom)}`]),
    ...(createdBefore === undefined ? [] : [`created_at < ${given(createdBefore)}`]),
    ...(metadata === undefined ? [] : [`metadata @> ${given(storableMetadata(metadata))}::jsonb`]),
    ...(cursor === undefined ? [] : [`(created_at, seq) < (${readCursor(cursor).map(given).join(', ')})`]),
  ]
}

/** One alone is compared plainly, because then the order of its index is the order of the list. */
function statusCondition(statuses: TicketQuery['statuses'], given: Given): string[] {
  if (statuses === undefined || statuses.length === 0) return []
  const [only] = statuses
  return statuses.length === 1 ? [`status = ${given(only)}`] : [`status = ANY(${given(statuses)})`]
}

/** A content that is no text is JSON: there a quote or a line break stands with its backslash. */
function textCondition(text: string, given: Given): string {
  const like = given(pattern(text))
  const likeInJson = given(pattern(JSON.stringify(text).slice(1, -1)))
  const content = `CASE WHEN content_is_json THEN content ILIKE ${likeInJson} ELSE content ILIKE ${like} END`
  return `(${content} OR answer ILIKE ${like} OR partial ILIKE ${like})`
}

const pattern = (text: string) => `%${storableText(text).replace(/[\\%_]/g, '\\$&')}%`

export const writeCursor = ({ seq, ticket }: StoredTicket): string =>
  Buffer.from(`1:${ticket.createdAt}:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
function readCursor(cursor: string): readonly [createdAt: number, seq: number] {
  const [, createdAt, seq] =
    /^1:(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  return [Number(createdAt ?? -1), Number(seq ?? 0)]
}
