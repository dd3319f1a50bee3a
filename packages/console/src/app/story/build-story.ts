import type { AttemptRecord } from '@ai-ticket/core'

/** The parts of a ticket that its story is made of. Times ISO 8601, durations in milliseconds. */
export interface Told {
  readonly kind: 'ticket' | 'event'
  readonly status: 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled'
  readonly created_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly attempts: readonly AttemptRecord[]
  /** The call that runs now. */
  readonly call?:
    | { readonly backend: string; readonly endpoint: string; readonly started_at: string }
    | undefined
  /** Each time that a worker took it; absent: an earlier release ran it, or it never was on disk. */
  readonly run_log?: readonly ToldRun[] | undefined
}

interface ToldRun {
  readonly run: number
  readonly claimed_at: string
  /** Absent: it runs. */
  readonly ended_at?: string | undefined
}

/**
 * `queue`: on disk, until a worker takes it. `line`: waits for a slot. `call`: a backend works on it. `pause`: before a
 * repeat. `end`: what comes after the last call of a run, like waiting for the backend to stop.
 */
export type BarKind = 'queue' | 'line' | 'call' | 'pause' | 'end'

/** A piece of the story. `from` and `to` are milliseconds after the ticket was made. */
export interface Bar {
  readonly kind: BarKind
  readonly from: number
  readonly to: number
  /** Of a call only. */
  readonly call?: CallPiece
}

export interface CallPiece {
  /** Which call this is, from 1. */
  readonly number: number
  readonly backend: string
  readonly endpoint: string
  /** Undefined: it still runs. */
  readonly result?: string
  readonly details?: string
  /** Its work was thrown away. */
  readonly wasted: boolean
  /** What is known of its inside; undefined: nobody told. */
  readonly phases?: CallPhases
  /** How the backend is known to have stopped, and after how many milliseconds. */
  readonly stopped?: string
  readonly stoppedAfterMs?: number
}

/** The inside of a call, in this order; together they are the whole bar. In milliseconds. */
export interface CallPhases {
  /** Neither: on the way, or waiting inside the server. */
  readonly otherMs: number
  /** The prompt was read. */
  readonly readingMs: number
  /** The answer was written. */
  readonly writingMs: number
  /** The backend was being stopped. */
  readonly stoppingMs: number
  /** By the speeds learned, not by what the backend or its stream told. */
  readonly isEstimate: boolean
}

export interface Story {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly durationMs: number
  /** In order, without a gap or an overlap: together they are the whole duration. */
  readonly bars: readonly Bar[]
  readonly calls: number
  readonly wastedMs: number
  /** It has not ended: `durationMs` is until `now`. */
  readonly isLive: boolean
}

/**
 * What happened to a ticket, and when. `now` in milliseconds since 1970, for one that has not ended. The clocks of a
 * worker and of a store may differ: what would overlap is cut, and what would lie outside is moved inside, so that bars
 * never tell of more time than there was.
 */
export function buildStory(told: Told, now: number): Story {
  const startedAt = Date.parse(told.created_at)
  const endsAt = told.finished_at === null ? now : Date.parse(told.finished_at)
  const durationMs = Math.max(0, endsAt - startedAt)
  const bars: Bar[] = []
  let at = 0
  const reach: Reach = (kind, until, attempt) => {
    const to = Math.min(Math.max(at, until), durationMs)
    if (to > at) {
      const call = attempt && pieceOf(attempt.record, attempt.number, to - at)
      bars.push({ kind, from: at, to, ...(call && { call }) })
    }
    at = to
  }
  let calls = 0
  for (const run of runsOf(told, startedAt)) {
    reach('queue', run.from)
    for (const [index, record] of run.attempts.entries()) {
      const begins = Date.parse(record.started_at) - startedAt
      reach('line', begins - record.waited_ms)
      reach(index === 0 ? 'line' : 'pause', begins)
      reach('call', begins + record.duration_ms, { record, number: ++calls })
    }
    if (run.to !== undefined) reach(run.attempts.length === 0 ? 'line' : 'end', run.to)
  }
  reachTheEnd(told, { startedAt, durationMs, reach })
  return {
    startedAt,
    durationMs,
    bars,
    calls: told.attempts.length + (told.call === undefined ? 0 : 1),
    wastedMs: told.attempts.filter(isThrownAway).reduce((sum, { duration_ms }) => sum + duration_ms, 0),
    isLive: told.finished_at === null,
  }
}

interface PlacedCall {
  /** Of one that runs, nothing more is known. */
  readonly record: Pick<AttemptRecord, 'backend' | 'endpoint'> & Partial<AttemptRecord>
  readonly number: number
}

/** Goes on to a moment, and tells what the time until then was. */
type Reach = (kind: BarKind, until: number, call?: PlacedCall) => void

/** A time that a worker had it, in milliseconds after it was made. */
interface Run {
  readonly from: number
  /** Undefined: it runs, or nobody told. */
  readonly to: number | undefined
  readonly attempts: readonly AttemptRecord[]
}

/** The runs in order. Without a log all calls are of one run, which began when the ticket did; none: no worker took it. */
function runsOf({ kind, run_log: log = [], attempts, started_at }: Told, startedAt: number): readonly Run[] {
  const after = (time: string) => Date.parse(time) - startedAt
  if (log.length === 0) {
    if (started_at === null && attempts.length === 0) return []
    const from = kind === 'event' || started_at === null ? 0 : after(started_at)
    return [{ from, to: undefined, attempts }]
  }
  // A call that does not name its run belongs to the one that was last taken before it, or to the first one.
  const runOf = ({ run, started_at: at }: AttemptRecord): number | undefined =>
    (log.find((one) => one.run === run) ?? log.findLast((one) => one.claimed_at <= at) ?? log[0])?.run
  return log.map(({ run, claimed_at, ended_at }) => ({
    from: after(claimed_at),
    to: ended_at === undefined ? undefined : after(ended_at),
    attempts: attempts.filter((attempt) => runOf(attempt) === run),
  }))
}

/** From the last thing that is known to now, or to the end. */
function reachTheEnd(
  told: Told,
  {
    startedAt,
    durationMs,
    reach,
  }: { readonly startedAt: number; readonly durationMs: number; readonly reach: Reach },
): void {
  const { status, call, attempts, finished_at: finished, started_at: started, run_log: log = [] } = told
  const last = log.at(-1)
  const isOnDisk =
    last === undefined ? started === null && attempts.length === 0 : last.ended_at !== undefined
  if (status === 'queued' || (finished !== null && isOnDisk)) reach('queue', durationMs)
  else if (finished !== null) reach(attempts.length === 0 ? 'line' : 'end', durationMs)
  else if (call === undefined) reach('line', durationMs)
  else {
    const { backend, endpoint, started_at: called } = call
    reach('line', Date.parse(called) - startedAt)
    reach('call', durationMs, { record: { backend, endpoint }, number: attempts.length + 1 })
  }
}

function pieceOf(record: PlacedCall['record'], number: number, wholeMs: number): CallPiece {
  const { backend, endpoint, result, details, stopped, stopped_after_ms } = record
  const phases = phasesOf(record, wholeMs)
  return {
    number,
    backend,
    endpoint,
    wasted: result !== undefined && isThrownAway({ result }),
    ...(result !== undefined && { result }),
    ...(details !== undefined && { details }),
    ...(phases && { phases }),
    ...(stopped !== undefined && { stopped }),
    ...(stopped_after_ms !== undefined && { stoppedAfterMs: stopped_after_ms }),
  }
}

/** Cut to what the bar has room for. An earlier release told no more than when the first delta came. */
function phasesOf(record: PlacedCall['record'], wholeMs: number): CallPhases | undefined {
  const { prompt_ms: reading = record.first_token_ms, completion_ms: writing, phases } = record
  if (reading === undefined) return undefined
  const stoppingMs = Math.min(record.stopped_after_ms ?? 0, wholeMs)
  const readingMs = Math.min(reading, wholeMs - stoppingMs)
  const leftMs = wholeMs - stoppingMs - readingMs
  const writingMs = Math.min(writing ?? leftMs, leftMs)
  return {
    otherMs: leftMs - writingMs,
    readingMs,
    writingMs,
    stoppingMs,
    isEstimate: phases === 'learned',
  }
}

/** Its answer went to nobody. */
const isThrownAway = ({ result }: Pick<AttemptRecord, 'result'>): boolean => result !== 'completed'
