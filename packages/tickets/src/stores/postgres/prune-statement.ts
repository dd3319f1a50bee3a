import { DEAD_LETTERS, NO_DEAD_LETTERS, type PruneLimits } from '../prune-limits.ts'

/** So many rows a step, so that no transaction grows long. */
const STEP = 1_000

const doomed = (end: string) => `(SELECT seq FROM tickets
    WHERE ${DEAD_LETTERS} AND (finished_at, seq) < ($1::bigint, $2::bigint) ${end})
  UNION ALL (SELECT seq FROM tickets
    WHERE ${NO_DEAD_LETTERS} AND (finished_at, seq) < ($3::bigint, $4::bigint) ${end})`

/** Removes some of what lies before the limits; none left: it removes nothing. */
export const PRUNE = `DELETE FROM tickets WHERE seq IN (${doomed(`LIMIT ${STEP}`)}) RETURNING seq`

export const COUNT_PRUNABLE = `SELECT count(*) AS number FROM (${doomed('')}) AS doomed`

export const OLDEST_KEPT = `SELECT finished_at, seq FROM tickets WHERE ${NO_DEAD_LETTERS}
  ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET $1::bigint`

export const limitValues = ({ deadLetters, others }: PruneLimits): number[] => [...deadLetters, ...others]
