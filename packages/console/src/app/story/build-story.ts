import type { AttemptRecord } from '@ai-ticket/core'

/** The parts of a ticket that its story is made of. Times ISO 8601, durations in milliseconds. */
export interface Told {
  readonly kind: 'ticket' | 'event'
  readonly status: 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled'
  readonly created_at: string
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly attempts: readonly (AttemptRecord & LaterFields)[]
  /** The call that runs now. */
  readonly call?: { readonly backend: string; readonly endpoint: string } | undefined
  /** Each time that a worker took it. */
  readonly run_log?: readonly {
    readonly run: number
    readonly claimed_at: string
    readonly ended_at?: string | undefined
  }[]
}

/** What newer servers tell of a call. */
interface LaterFields {
  readonly run?: number
  readonly prompt_ms?: number
  readonly completion_ms?: number
  readonly phases?: 'backend' | 'stream' | 'learned'
  readonly stopped_after_ms?: number
}

/**
 * `queue`: on disk, until a worker takes it. `line`: waits for a slot. `call`: a backend works on it. `pause`: before a
 * repeat. `end`: what comes after the last call, like waiting for the backend to stop.
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
  /** Milliseconds in which the prompt was read; undefined: nobody told. */
  readonly readingMs?: number
  /** Whether `readingMs` is an estimate. */
  readonly estimated: boolean
  /** How the backend is known to have stopped, and after how many milliseconds. */
  readonly stopped?: string
  readonly stoppedAfterMs?: number
  readonly firstTokenMs?: number
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
  const reach = (kind: BarKind, until: number, call?: CallPiece): void => {
    const to = Math.min(Math.max(at, until), durationMs)
    if (to > at) bars.push({ kind, from: at, to, ...(call && { call }) })
    at = to
  }
  for (const [index, attempt] of told.attempts.entries()) {
    const begins = Date.parse(attempt.started_at) - startedAt
    reachThroughQueues(told, { startedAt, until: begins - attempt.waited_ms, reach, isFirst: index === 0 })
    reach(index === 0 ? 'line' : 'pause', begins)
    reach('call', begins + attempt.duration_ms, pieceOf(attempt, index + 1))
  }
  const isLive = told.finished_at === null
  reachTheEnd(told, { startedAt, durationMs, reach, isLive })
  return {
    startedAt,
    durationMs,
    bars,
    calls: told.attempts.length + (told.call === undefined ? 0 : 1),
    wastedMs: told.attempts.filter(isThrownAway).reduce((sum, { duration_ms }) => sum + duration_ms, 0),
    isLive,
  }
}

interface Way {
  readonly startedAt: number
  readonly reach: (kind: BarKind, until: number, call?: CallPiece) => void
}

/** Between two calls it waits on disk until it is taken, and then in line. */
function reachThroughQueues(
  told: Told,
  { startedAt, until, reach, isFirst }: Way & { readonly until: number; readonly isFirst: boolean },
): void {
  if (isFirst && told.kind === 'ticket' && told.started_at !== null) {
    reach('queue', Math.min(until, Date.parse(told.started_at) - startedAt))
  }
  for (const { claimed_at } of told.run_log ?? []) {
    const claimed = Date.parse(claimed_at) - startedAt
    if (claimed <= until) reach('queue', claimed)
  }
  reach('line', until)
}

function reachTheEnd(
  told: Told,
  { startedAt, durationMs, reach, isLive }: Way & { readonly durationMs: number; readonly isLive: boolean },
): void {
  const { status, call, attempts, started_at: started, kind } = told
  if (status === 'queued') {
    reach('queue', durationMs)
    return
  }
  if (attempts.length === 0 && kind === 'ticket') {
    reach('queue', started === null ? durationMs : Date.parse(started) - startedAt)
  }
  if (!isLive) reach(attempts.length === 0 ? 'line' : 'end', durationMs)
  else if (call === undefined) reach('line', durationMs)
  else reach('call', durationMs, { ...call, number: attempts.length + 1, wasted: false, estimated: false })
}

function pieceOf(attempt: AttemptRecord & LaterFields, number: number): CallPiece {
  const { backend, endpoint, result, details, stopped, first_token_ms, stopped_after_ms, phases } = attempt
  const readingMs = attempt.prompt_ms ?? first_token_ms
  return {
    number,
    backend,
    endpoint,
    result,
    wasted: isThrownAway(attempt),
    estimated: phases === 'learned',
    ...(details !== undefined && { details }),
    ...(stopped !== undefined && { stopped }),
    ...(stopped_after_ms !== undefined && { stoppedAfterMs: stopped_after_ms }),
    ...(first_token_ms !== undefined && { firstTokenMs: first_token_ms }),
    ...(readingMs !== undefined && { readingMs: Math.min(readingMs, attempt.duration_ms) }),
  }
}

/** Its answer went to nobody. */
const isThrownAway = ({ result }: Pick<AttemptRecord, 'result'>): boolean => result !== 'completed'
