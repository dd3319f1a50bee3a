import type { SQLInputValue } from 'node:sqlite'
import { DEAD_LETTERS, NO_DEAD_LETTERS, type PruneLimits } from '../prune-limits.ts'

/** So many rows a step: the event loop stands still for a few milliseconds at most. */
const STEP = 250

const BELOW = '(finished_at, seq) < (?, ?)'

const from = (index: string, condition: string, end: string) =>
  `SELECT * FROM (SELECT seq FROM tickets INDEXED BY ${index} WHERE ${condition} AND ${BELOW} ${end})`

/** The indexes are named: the planner would take that of the states, and walk over all dead letters that are kept. */
const doomed = (end: string) =>
  `${from('tickets_dead', DEAD_LETTERS, end)} UNION ALL ${from('tickets_by_end', NO_DEAD_LETTERS, end)}`

/** Removes some of what lies before the limits; none left: it removes nothing. */
export const PRUNE = `DELETE FROM tickets WHERE seq IN (${doomed(`LIMIT ${STEP}`)})`

export const COUNT_PRUNABLE = `SELECT count(*) AS number FROM (${doomed('')})`

export const OLDEST_KEPT = `SELECT finished_at, seq FROM tickets WHERE ${NO_DEAD_LETTERS}
  ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET ?`

export const limitValues = ({ deadLetters, others }: PruneLimits): SQLInputValue[] => [
  ...deadLetters,
  ...others,
]
