import type { Clock } from '@ai-ticket/core'
import { addFigures, type Counted, type Figures, noFigures } from './figures.ts'

/** The finest steps that there are. */
export const STEP_MS = 10_000
export const MINUTE_MS = 60_000
/** Minutes that are remembered, the current one left out. */
const REMEMBERED = 60

/** A minute of the last hour. There is one for each minute that the server was there, so what is missing is a gap. */
export interface Minute {
  /** When it began, or when the server did. */
  readonly at: number
  /** Its whole number since 1970. */
  readonly number: number
  /** What was counted in each of its steps; undefined: nothing. */
  readonly steps: (Figures | undefined)[]
  isStored: boolean
}

/** What was counted when. */
export interface Piece {
  readonly at: number
  readonly figures: Counted
}

/** The last hour in steps of ten seconds. */
export class SeriesMemory {
  readonly #clock: Clock
  readonly #minutes = new Map<number, Minute>()
  /** Where events are counted until the time is over: to look it up for each would cost more than to count. */
  #current = { from: 0, until: 0, figures: noFigures() }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Where to count what happens now. */
  get now(): Figures {
    const time = this.#clock.wallTime()
    if (time >= this.#current.from && time < this.#current.until) return this.#current.figures
    const from = Math.floor(time / STEP_MS) * STEP_MS
    const { number, steps } = this.remember()
    const place = (from - number * MINUTE_MS) / STEP_MS
    const figures = steps[place] ?? noFigures()
    steps[place] = figures
    this.#current = { from, until: from + STEP_MS, figures }
    return figures
  }

  /** Notes that the server is there; the minute of now. Forgets what is more than an hour old. */
  remember(): Minute {
    const time = this.#clock.wallTime()
    const number = Math.floor(time / MINUTE_MS)
    const known = this.#minutes.get(number)
    if (known) return known
    // A server that slept with its machine was not there all the minute.
    const at = this.#minutes.has(number - 1) ? number * MINUTE_MS : Math.trunc(time)
    const minute: Minute = { at, number, steps: [], isStored: false }
    // Minutes to come were counted before somebody set the clock back.
    for (const other of this.#minutes.keys())
      if (other < number - REMEMBERED || other > number) this.#minutes.delete(other)
    this.#minutes.set(number, minute)
    return minute
  }

  /** All that is remembered, the oldest first. */
  get minutes(): readonly Minute[] {
    return [...this.#minutes.values()].sort((one, other) => one.number - other.number)
  }

  /** The steps of a minute in which the server was there. */
  pieces({ at, number, steps }: Minute): readonly Piece[] {
    const now = this.#clock.wallTime()
    return Array.from({ length: MINUTE_MS / STEP_MS }, (_, place) => {
      const from = number * MINUTE_MS + place * STEP_MS
      const aliveMs = Math.max(0, Math.min(now, from + STEP_MS) - Math.max(from, at))
      return { at: from, figures: { ...(steps[place] ?? noFigures()), aliveMs } }
    }).filter(({ figures }, place) => figures.aliveMs > 0 || steps[place] !== undefined)
  }

  /** All of a minute. */
  sumOf(minute: Minute): Figures {
    const sum = noFigures()
    for (const { figures } of this.pieces(minute)) addFigures(sum, figures)
    return sum
  }
}
