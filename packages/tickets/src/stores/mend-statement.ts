import type { Logger } from '@ai-ticket/core'
import { LATEST_TIME } from '../ticket/stored-value.ts'

/** No `IN`: SQLite builds a table for a list of more than two, for every row it writes, to look whether it is in the index. */
const FINISHED = "(status = 'completed' OR status = 'failed' OR status = 'cancelled')"
const KNOWN = `(${FINISHED} OR status = 'queued' OR status = 'in_progress')`

const inRange = (column: string) => `${column} BETWEEN 0 AND ${LATEST_TIME}`
const outOfRange = (column: string) => `${column} NOT BETWEEN 0 AND ${LATEST_TIME}`

const NEVER_DUE = `(status = 'queued' AND ${outOfRange('not_before')})`
const NO_LEASE = `(status = 'in_progress' AND (lease_until IS NULL OR ${outOfRange('lease_until')}))`

/**
 * Tickets that no statement of the stores would ever find again: due in no year that a clock shows, ended but at no
 * time, of a status that is none. Stores have an index with these words, which is empty as long as all is well.
 */
export const BROKEN = `(NOT ${KNOWN} OR ${FINISHED} <> (finished_at IS NOT NULL) OR ${outOfRange('finished_at')}
  OR ${NEVER_DUE} OR ${NO_LEASE})`

/**
 * Brings them back: what waits is due now, what ran is for another worker to take over, what ended did so now. Gives back
 * their ids. What the other columns hold is left to tolerant reading, see `readTime`. The same words in both databases.
 */
export const mendTickets = (now: number): string => `UPDATE tickets SET
    finished_at = CASE
      WHEN status IN ('queued', 'in_progress') THEN NULL
      WHEN ${inRange('finished_at')} THEN finished_at
      ELSE ${storedNow(now)} END,
    rank = CASE WHEN ${NEVER_DUE} THEN ${storedNow(now)} ELSE rank END,
    not_before = CASE WHEN ${NEVER_DUE} THEN ${storedNow(now)} ELSE not_before END,
    lease_until = CASE WHEN ${NO_LEASE} THEN 0 ELSE lease_until END,
    error = CASE WHEN ${KNOWN} THEN error ELSE 'internal_error' END,
    status = CASE WHEN ${KNOWN} THEN status ELSE 'failed' END
  WHERE ${BROKEN} RETURNING id`

/** Callbacks that would never be sent are due now. */
export const mendCallbacks = (now: number): string =>
  `UPDATE callbacks SET due_at = ${storedNow(now)} WHERE status = 'pending' AND due_at > ${LATEST_TIME}
    RETURNING ticket_id AS id`

/** A whole number, for it stands in the statement. */
const storedNow = (now: number): string => String(Math.trunc(now))

export function warnOfMended(logger: Logger, ticketIds: readonly string[]): void {
  for (const id of ticketIds) {
    logger.warn('A damaged ticket was mended: its times or its status were invalid.', { ticket_id: id })
  }
}
