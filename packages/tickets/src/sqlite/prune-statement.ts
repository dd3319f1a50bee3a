import type { SQLInputValue } from 'node:sqlite'
import type { PruneRequest } from '../ticket-store.ts'

/** So many rows a step: the event loop stands still for a few milliseconds at most. */
const STEP = 250

/** Removes some of the finished tickets that the request no longer keeps; none left: it removes nothing. */
export function pruneStatement({ finishedBefore, keep }: PruneRequest): {
  sql: string
  values: SQLInputValue[]
} {
  const parts: string[] = []
  const values: SQLInputValue[] = []
  if (finishedBefore !== undefined) {
    parts.push(`SELECT * FROM (SELECT seq FROM tickets WHERE finished_at < ? LIMIT ${STEP})`)
    values.push(finishedBefore)
  }
  if (keep !== undefined) {
    parts.push(
      `SELECT * FROM (SELECT seq FROM tickets WHERE finished_at IS NOT NULL
        ORDER BY finished_at DESC, seq DESC LIMIT ${STEP} OFFSET ?)`,
    )
    values.push(Math.max(0, Math.trunc(keep)))
  }
  if (parts.length === 0) return { sql: 'DELETE FROM tickets WHERE 0', values }
  return { sql: `DELETE FROM tickets WHERE seq IN (${parts.join(' UNION ')})`, values }
}
