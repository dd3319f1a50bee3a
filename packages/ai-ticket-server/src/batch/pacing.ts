import type { Clock } from '@ai-ticket/core'

/** A line on its way. */
export interface Turn<Line> {
  readonly line: Line
  /** Tries that ended in a failure which may be the line's own fault. */
  readonly tries: number
}

export interface TurnsOptions<Line> {
  /** The next line that was never asked; undefined: there is none left. */
  readonly fresh: () => Promise<Line | undefined>
  readonly clock: Clock
  /** So long nobody may be there; then the batch stops. */
  readonly patienceMs: number
  /** No more turns are given. */
  readonly signal: AbortSignal
  readonly onOutage: (outage: Outage | undefined) => void
}

export interface FailedTurn {
  readonly details: string
  readonly isAway: boolean
  readonly retryAfterMs?: number | undefined
}

/** A line that fails so often while others are answered has failed. */
const TRIES = 4
const PAUSES_MS = [1_000, 5_000, 30_000]
/** So many lines that fail for the first time, with no answer in between, are no bad lines: it is the server. */
const LINES_IN_A_ROW = 5
/** More lines than this are not put off: they would only be read from the file to wait here. */
const PUT_OFF = 100
/** In an outage: enough to see that it is none of them. */
const PUT_OFF_IN_OUTAGE = 8

/**
 * Whose turn it is. A line that failed for a reason that may pass is put off, and the slot goes to another; while
 * nobody is there at all, one line at a time is tried, so that an outage costs time and no failures.
 */
export function createTurns<Line>(options: TurnsOptions<Line>) {
  const { fresh, clock, patienceMs, signal, onOutage } = options
  const putOff: { readonly turn: Turn<Line>; readonly dueAt: number }[] = []
  let outage: Outage | undefined
  let trial: Turn<Line> | undefined
  let isTaking = false
  let linesInARow = 0
  let isExhausted = false
  let change = Promise.withResolvers<void>()
  const changed = () => {
    change.resolve()
    change = Promise.withResolvers()
  }
  signal.addEventListener('abort', changed, { once: true })

  function setOutage(next: Outage | undefined): void {
    if (next === undefined && outage === undefined) return
    outage = next
    onOutage(next)
  }

  async function takeFresh(): Promise<Turn<Line> | undefined> {
    const line = isExhausted ? undefined : await fresh()
    if (line === undefined) isExhausted = true
    return line === undefined ? undefined : { line, tries: 0 }
  }

  async function takeDue(now: number): Promise<Turn<Line> | undefined> {
    const index = putOff.findIndex(({ dueAt }) => dueAt <= now)
    if (index !== -1) return putOff.splice(index, 1)[0]?.turn
    return putOff.length < PUT_OFF ? await takeFresh() : undefined
  }

  async function takeTrial(): Promise<Turn<Line> | undefined> {
    isTaking = true
    const another = putOff.length < PUT_OFF_IN_OUTAGE ? await takeFresh() : undefined
    trial = another ?? putOff.shift()?.turn
    isTaking = false
    return trial
  }

  async function until(time: number): Promise<void> {
    const timer = clock.setTimer(changed, time - clock.now())
    await change.promise
    timer.cancel()
  }

  return {
    /** Waits for a turn. Undefined: all lines are given out and none is put off, or no more are to be given. */
    async take(): Promise<Turn<Line> | undefined> {
      while (!signal.aborted) {
        const now = clock.now()
        if (outage !== undefined) {
          const isFree = trial === undefined && !isTaking && now >= outage.nextTryAt
          const taken = isFree ? await takeTrial() : undefined
          if (taken) return taken
          // The others have the last lines: they try them.
          if (isFree) return undefined
          await (trial || isTaking ? change.promise : until(outage.nextTryAt))
          continue
        }
        const taken = await takeDue(now)
        if (taken) return taken
        if (putOff.length === 0) return undefined
        await until(Math.min(...putOff.map(({ dueAt }) => dueAt)))
      }
      return undefined
    },
    /** The line has its result. `answered`: a server that works gave it. */
    settle(turn: Turn<Line>, { answered }: { readonly answered: boolean }): void {
      if (trial === turn) trial = undefined
      if (answered) {
        linesInARow = 0
        setOutage(undefined)
      }
      changed()
    },
    /** False: it has failed often enough, that was its result. */
    putOff(turn: Turn<Line>, { details, isAway, retryAfterMs }: FailedTurn): boolean {
      const now = clock.now()
      const failed = { now, details, retryAfterMs }
      const counts = outage === undefined
      if (outage === undefined) {
        if (turn.tries === 0) linesInARow += 1
        if (isAway || linesInARow >= LINES_IN_A_ROW) setOutage(beginOutage(failed))
      } else if (trial === turn) {
        setOutage(prolongOutage(outage, failed))
      }
      if (trial === turn) trial = undefined
      const tries = turn.tries + (counts ? 1 : 0)
      const isOver = counts && tries >= TRIES
      if (!isOver) {
        const pauseMs = counts ? (PAUSES_MS[tries - 1] ?? 0) : 0
        putOff.push({ turn: { ...turn, tries }, dueAt: now + pauseMs })
      }
      changed()
      return !isOver
    },
    /** Nobody was there for longer than the patience. */
    get isOutOfPatience(): boolean {
      return outage !== undefined && clock.now() - outage.since >= patienceMs
    },
    get outage(): Outage | undefined {
      return outage
    },
  }
}

/** Nobody is there: one line at a time is tried, at growing intervals, the others wait. A value; times are of one clock. */
export interface Outage {
  readonly since: number
  readonly nextTryAt: number
  readonly delayMs: number
  /** Why the last line got no answer. */
  readonly details: string
}

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 60_000

export interface FailedTry {
  readonly now: number
  readonly details: string
  /** What the server asked for. */
  readonly retryAfterMs?: number | undefined
}

export function beginOutage({ now, details, retryAfterMs = 0 }: FailedTry): Outage {
  const delayMs = FIRST_DELAY_MS
  return { since: now, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}

export function prolongOutage({ since, delayMs: former }: Outage, failed: FailedTry): Outage {
  const delayMs = Math.min(former * 2, LONGEST_DELAY_MS)
  const { now, details, retryAfterMs = 0 } = failed
  return { since, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}
