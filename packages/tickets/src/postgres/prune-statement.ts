import type { PruneRequest } from '../ticket-store.ts'

/** So many rows a step, so that no transaction grows long. */
const STEP = 1_000

/** Removes some of the finished tickets that the request no longer keeps; none left: it removes nothing. */
export function pruneStatement({ finishedBefore, keep }: PruneRequest): { sql: string; values: number[] } {
  const parts: string[] = []
  const values: number[] = []
  const given = (value: number) => `$${values.push(value)}::bigint`
  if (finishedBefore !== undefined) {
    parts.push(`(SELECT seq FROM tickets WHERE finished_at < ${given(finishedBefore)} LIMIT ${STEP})`)
  }
  if (keep !== undefined) {
    parts.push(
      `(SELECT seq FROM tickets WHERE finished_at IS NOT NULL
        ORDER BY finished_at DESC, seq DESC LIMIT ${STEP} OFFSET ${given(Math.max(0, Math.trunc(keep)))})`,
    )
  }
  const doomed = parts.length === 0 ? 'SELECT seq FROM tickets WHERE false' : parts.join(' UNION ')
  return { sql: `DELETE FROM tickets WHERE seq IN (${doomed}) RETURNING seq`, values }
}
