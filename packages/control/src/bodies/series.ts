/**
 * The body of `GET /series`: what one server counted, in steps of one length. Times are ISO 8601, durations milliseconds. Each
 * list has one place for each step; null: the server was not there, or what it counted is no longer kept.
 */
export interface SeriesBody extends SeriesColumns {
  /** Always `series`. */
  object: 'series'
  /** The server that counted: each counts for itself. */
  worker: string
  /** When the first step begins. */
  from: string
  /** When the last step ends. */
  to: string
  /** The length of a step, in seconds. */
  step_s: number
  /** When each step begins. */
  t: string[]
  /** Over all steps, as if they were one. */
  total: SeriesTotal
}

/** One list for each figure. */
export interface SeriesColumns {
  /** Events that came in. */
  started: (number | null)[]
  /** Events that were answered. */
  completed: (number | null)[]
  /** Events that failed, those that a caller cancelled left out. */
  failed: (number | null)[]
  /** Events that their callers cancelled. */
  cancelled: (number | null)[]
  /** The failed ones by error code; only codes that occurred. */
  errors: { [code: string]: (number | null)[] }
  /** The longest waiting line that was seen; it is looked at once a second. */
  line_max: (number | null)[]
  /** Time in the waiting line of the events that ended, 95th percentile. Null also where none ended. Within 5 %, or 1 ms. */
  wait_p95: (number | null)[]
  /** From the arrival of an event to its answer, median. Null also where none was answered. Within 5 %, or 1 ms. */
  duration_p50: (number | null)[]
  /** The same, 95th percentile. */
  duration_p95: (number | null)[]
  /** How late the server's own timer fired at worst: it is too busy where that is much. */
  late_max: (number | null)[]
  /** Each configured backend, and each that was there. */
  backends: { [name: string]: BackendColumns }
}

/** One list for each figure of a backend. */
export interface BackendColumns {
  /** Slots that were taken, on average, so from 0 to its `concurrency`. Looked at once a second. */
  busy: (number | null)[]
  /** Tokens of prompts of the events that it answered, where it counts them. */
  tokens_in: (number | null)[]
  /** Tokens of their answers. */
  tokens_out: (number | null)[]
  /** Time of calls whose events had ended before, all of it in the step in which the call ended; as the next two. */
  abandoned_ms: (number | null)[]
  /** Time from the end of such events until the backend had stopped. */
  stopping_ms: (number | null)[]
  /** Time of calls that were thrown away. */
  failed_ms: (number | null)[]
}

/** The same figures over all steps: a value in the place of each list. */
export type SeriesTotal = Flat<
  Values<Omit<SeriesColumns, 'errors' | 'backends'>> & {
    errors: { [code: string]: number }
    backends: { [name: string]: Values<BackendColumns> }
  }
>

type Values<Columns> = { [Name in keyof Columns]: number | null }

type Flat<Type> = { [Key in keyof Type]: Type[Key] }
