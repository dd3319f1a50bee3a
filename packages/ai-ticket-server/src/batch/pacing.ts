import type { Clock } from '@ai-ticket/core'

/** A line on its way. */
export interface Turn<Line> {
  readonly line: Line
  /** Tries that ended in a failure which may be the line's own fault. */
  readonly tries: number
}

interface TurnsOptions<Line> {
  /** The next line that was never asked; undefined: there is none left. */
  readonly fresh: () => Promise<Line | undefined>
  readonly clock: Clock
  /** How long nobody may answer before the batch stops. */
  readonly patienceMs: number
  /** Aborted: no more turns are given. */
  readonly signal: AbortSignal
  readonly onOutage: (outage: Outage | undefined) => void
}

interface FailedTurn {
  readonly details: string
  readonly isAway: boolean
  readonly retryAfterMs?: number | undefined
}

/** A line that fails this often while others are answered has failed. */
const TRIES = 4
const PAUSES_MS = [1_000, 5_000, 30_000]
/** This many lines that fail for the first time, with no answer in between, are not bad lines: it is the server. */
const LINES_IN_A_ROW = 5
/** More lines than this are not put off: they would only be read from the file to wait here. */
const PUT_OFF = 100
/** In an outage: enough to see that no single line causes it. */
const PUT_OFF_IN_OUTAGE = 8

/**
 * Whose turn it is. A line that failed for a reason that may pass is put off, and the slot goes to another; while
 * nobody answers at all, one line at a time is tried, so that an outage costs time and no failures.
 */
export class Turns<Line> {
  readonly #options: TurnsOptions<Line>
  readonly #putOff: { readonly turn: Turn<Line>; readonly dueAt: number }[] = []
  #outage: Outage | undefined
  #trial: Turn<Line> | undefined
  #isTakingTrial = false
  #linesInARow = 0
  #isExhausted = false
  #change = Promise.withResolvers<void>()

  constructor(options: TurnsOptions<Line>) {
    this.#options = options
    options.signal.addEventListener('abort', this.#changed, { once: true })
  }

  /** Nobody has answered for longer than the patience. */
  get isOutOfPatience(): boolean {
    const { clock, patienceMs } = this.#options
    return this.#outage !== undefined && clock.now() - this.#outage.since >= patienceMs
  }

  /** Waits for a turn. Undefined: all lines are given out and none is put off, or no more are to be given. */
  async take(): Promise<Turn<Line> | undefined> {
    const { clock, signal } = this.#options
    while (!signal.aborted) {
      if (this.#outage !== undefined) {
        const isFree = this.#trial === undefined && !this.#isTakingTrial
        if (!isFree) await this.#change.promise
        else if (clock.now() < this.#outage.nextTryAt) await this.#until(this.#outage.nextTryAt)
        // Undefined: the others have the last lines, and try them.
        else return await this.#takeTrial()
        continue
      }
      const taken = await this.#takeDue(clock.now())
      if (taken) return taken
      if (this.#putOff.length === 0) return undefined
      await this.#until(Math.min(...this.#putOff.map(({ dueAt }) => dueAt)))
    }
    return undefined
  }

  /** The line has its result. `answered`: a server that works gave it. */
  settle(turn: Turn<Line>, { answered }: { readonly answered: boolean }): void {
    if (this.#trial === turn) this.#trial = undefined
    if (answered) {
      this.#linesInARow = 0
      this.#setOutage(undefined)
    }
    this.#changed()
  }

  /** False: it has failed often enough, that was its result. */
  putOff(turn: Turn<Line>, { details, isAway, retryAfterMs }: FailedTurn): boolean {
    const now = this.#options.clock.now()
    const failed = { now, details, retryAfterMs }
    const counts = this.#outage === undefined
    if (this.#outage === undefined) {
      if (turn.tries === 0) this.#linesInARow += 1
      if (isAway || this.#linesInARow >= LINES_IN_A_ROW) this.#setOutage(beginOutage(failed))
    } else if (this.#trial === turn) {
      this.#setOutage(prolongOutage(this.#outage, failed))
    }
    if (this.#trial === turn) this.#trial = undefined
    const tries = turn.tries + (counts ? 1 : 0)
    const isOver = counts && tries >= TRIES
    if (!isOver) {
      const pauseMs = counts ? (PAUSES_MS[tries - 1] ?? 0) : 0
      this.#putOff.push({ turn: { ...turn, tries }, dueAt: now + pauseMs })
    }
    this.#changed()
    return !isOver
  }

  async #takeFresh(): Promise<Turn<Line> | undefined> {
    const line = this.#isExhausted ? undefined : await this.#options.fresh()
    if (line === undefined) this.#isExhausted = true
    return line === undefined ? undefined : { line, tries: 0 }
  }

  async #takeDue(now: number): Promise<Turn<Line> | undefined> {
    const index = this.#putOff.findIndex(({ dueAt }) => dueAt <= now)
    if (index !== -1) return this.#putOff.splice(index, 1)[0]?.turn
    return this.#putOff.length < PUT_OFF ? await this.#takeFresh() : undefined
  }

  async #takeTrial(): Promise<Turn<Line> | undefined> {
    this.#isTakingTrial = true
    const another = this.#putOff.length < PUT_OFF_IN_OUTAGE ? await this.#takeFresh() : undefined
    this.#trial = another ?? this.#putOff.shift()?.turn
    this.#isTakingTrial = false
    return this.#trial
  }

  #setOutage(next: Outage | undefined): void {
    if (next === undefined && this.#outage === undefined) return
    this.#outage = next
    this.#options.onOutage(next)
  }

  async #until(time: number): Promise<void> {
    const { clock } = this.#options
    const timer = clock.setTimer(this.#changed, time - clock.now())
    await this.#change.promise
    timer.cancel()
  }

  /** Wakes those who wait for a turn. */
  readonly #changed = (): void => {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }
}

/** Nobody answers: one line at a time is tried, at growing intervals, and the others wait. All times are of one clock. */
export interface Outage {
  readonly since: number
  readonly nextTryAt: number
  readonly delayMs: number
  /** Why the last line got no answer. */
  readonly details: string
}

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 60_000

interface FailedTry {
  readonly now: number
  readonly details: string
  /** What the server asked for. */
  readonly retryAfterMs?: number | undefined
}

function beginOutage({ now, details, retryAfterMs = 0 }: FailedTry): Outage {
  const delayMs = FIRST_DELAY_MS
  return { since: now, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}

function prolongOutage({ since, delayMs: former }: Outage, failed: FailedTry): Outage {
  const delayMs = Math.min(former * 2, LONGEST_DELAY_MS)
  const { now, details, retryAfterMs = 0 } = failed
  return { since, delayMs, nextTryAt: now + Math.max(delayMs, retryAfterMs), details }
}
