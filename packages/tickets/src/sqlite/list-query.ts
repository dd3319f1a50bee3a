import type { SQLInputValue } from 'node:sqlite'
import type { TicketQuery } from '../ticket-store.ts'

export interface ListStatement {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
  readonly limit: number
}

/** A search for a text reads whole events: so many of the newest matches are looked through, not all there are. */
const SEARCHED = 20_000

/** One row more than asked for tells whether there is a next page. */
export function listStatement(query: TicketQuery): ListStatement {
  const limit = Math.min(Math.max(Math.trunc(query.limit ?? 50), 1), 200)
  const conditions: string[] = []
  const values: SQLInputValue[] = []
  const where = (condition: string, ...given: readonly SQLInputValue[]) => {
    conditions.push(condition)
    values.push(...given)
  }
  const equal = (column: string, value: string | undefined) => {
    if (value !== undefined) where(`${column} = ?`, value)
  }
  const { statuses } = query
  if (statuses && statuses.length > 0) {
    where(`status IN (${statuses.map(() => '?').join(', ')})`, ...statuses)
  }
  equal('kind', query.kind)
  equal('backend', query.backend)
  equal('model', query.model)
  equal('error', query.error)
  equal('event_id', query.eventId)
  equal('caller', query.caller)
  equal('idempotency_key', query.idempotencyKey)
  equal('replay_of', query.replayOf)
  if (query.createdFrom !== undefined) where('created_at >= ?', query.createdFrom)
  if (query.createdBefore !== undefined) where('created_at < ?', query.createdBefore)
  for (const [key, value] of Object.entries(query.metadata ?? {})) {
    where('json_extract(event, ?) = ?', `$.metadata.${JSON.stringify(key)}`, value)
  }
  if (query.cursor !== undefined) where('seq < ?', readCursor(query.cursor))
  const all = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const newest = `SELECT * FROM tickets ${all} ORDER BY seq DESC LIMIT ?`
  if (query.text === undefined) return { sql: newest, values: [...values, limit + 1], limit }
  const found = FIELDS.map((field) => `${field} LIKE ? ESCAPE '\\'`).join(' OR ')
  return {
    sql: `SELECT * FROM (${newest}) WHERE ${found} ORDER BY seq DESC LIMIT ?`,
    values: [...values, SEARCHED, ...patterns(query.text), limit + 1],
    limit,
  }
}

const FIELDS = [
  "json_extract(event, '$.content')",
  "json_extract(event, '$.content')",
  "json_extract(outcome, '$.completion')",
  'partial',
]

/** For each field. A content that is no text is JSON: there a quote or a line break stands with its backslash. */
function patterns(text: string): readonly string[] {
  const pattern = (of: string) => `%${of.replace(/[\\%_]/g, '\\$&')}%`
  return [pattern(text), pattern(JSON.stringify(text).slice(1, -1)), pattern(text), pattern(text)]
}

export const writeCursor = (seq: number): string => Buffer.from(`1:${seq}`).toString('base64url')

/** A cursor that is none of ours: nothing comes after it. */
function readCursor(cursor: string): number {
  const [, seq] = /^1:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  return seq === undefined ? 0 : Number(seq)
}
