import { MINUTE_MS, STEP_MS } from './memory.ts'

/** What is asked for. Times are milliseconds since 1970. */
export interface SeriesQuery {
  readonly from?: number
  readonly to?: number
  /** The length of a step. Default: such that there are about 360 steps at most. */
  readonly stepMs?: number
}

/** A range, cut into steps of one length. */
export interface Steps {
  readonly from: number
  readonly stepMs: number
  readonly count: number
}

/** Steps of a chart that names none. */
const USUAL = 360
/** Steps in one answer. */
const MOST = 1_500
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The lengths that are chosen from where none is asked for; longer ones are whole days. */
const LENGTHS = [STEP_MS, MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS, DAY_MS]

/** Cuts what is asked for into steps; a text says what is wrong with it. */
export function planSteps({ from, to, stepMs }: SeriesQuery, now: number): Steps | string {
  const end = to ?? now
  if (from !== undefined && from >= end) return '`from` must be before `to`.'
  if (stepMs !== undefined && !isLength(stepMs))
    return '`step` must be 10, 20, 30 or a multiple of 60, in seconds.'
  const length = stepMs ?? lengthFor(end - (from ?? end - HOUR_MS))
  const base = length < MINUTE_MS ? STEP_MS : MINUTE_MS
  // Without a beginning, steps are the same from one question to the next.
  const start =
    from === undefined
      ? Math.ceil(end / length) * length - (stepMs === undefined ? HOUR_MS : USUAL * length)
      : Math.floor(from / base) * base
  const count = Math.ceil((end - start) / length)
  if (count > MOST)
    return `There are at most ${MOST} steps in an answer: take a larger \`step\`, or a shorter range.`
  return { from: start, stepMs: length, count }
}

const isLength = (ms: number): boolean =>
  ms > 0 && (ms % MINUTE_MS === 0 || (ms % STEP_MS === 0 && MINUTE_MS % ms === 0))

/** One more step than usual, for a range that ends a moment after it was asked for. */
const lengthFor = (rangeMs: number): number =>
  LENGTHS.find((length) => rangeMs <= (USUAL + 1) * length) ?? Math.ceil(rangeMs / USUAL / DAY_MS) * DAY_MS
