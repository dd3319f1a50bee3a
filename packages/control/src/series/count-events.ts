import type { Clock, Dispatcher, Observer, Outcome, Timer } from '@ai-ticket/core'
import { wastedMs, wasteReason } from '@ai-ticket/http-server'
import { type Figures, ofBackend } from './figures.ts'
import { note } from './histogram.ts'
import type { SeriesMemory } from './memory.ts'

const SECOND_MS = 1_000

interface CounterParts {
  readonly memory: SeriesMemory
  readonly clock: Clock
  readonly random: () => number
}

/**
 * Counts events as they happen: a few additions for each. What no event tells (slots, the line) is looked at once a second while
 * any event runs or waits.
 */
export class EventCounter {
  readonly #memory: SeriesMemory
  readonly #clock: Clock
  readonly #nextLook: (now: number) => number
  #inHand = 0
  #timer: Timer | undefined
  #desk: Pick<Dispatcher, 'report'> | undefined

  constructor({ memory, clock, random }: CounterParts) {
    this.#memory = memory
    this.#clock = clock
    this.#nextLook = createLooks(random)
  }

  /** For the dispatcher. */
  readonly observer: Required<Observer> = {
    eventStarted: () => {
      this.#memory.now.started += 1
      this.#inHand += 1
      if (this.#timer === undefined) this.#planLook()
    },
    attemptEnded: (attempt) => {
      const ms = wastedMs(attempt)
      if (ms === 0) return
      const backend = ofBackend(this.#memory.now, attempt.backend)
      if (wasteReason(attempt) === 'abandoned') backend.abandonedMs += ms
      else backend.failedMs += ms
    },
    abandonedCallStopped: ({ backend, afterMs }) => {
      ofBackend(this.#memory.now, backend).stoppingMs += Math.max(0, afterMs)
    },
    eventEnded: (outcome, { waitedMs }) => {
      this.#inHand -= 1
      countEnd(this.#memory.now, outcome, waitedMs)
    },
  }

  /** From now on it looks at the desk, too, while there is anything to see. */
  watch(dispatcher: Pick<Dispatcher, 'report'>): void {
    this.#desk = dispatcher
    if (this.#inHand > 0 && this.#timer === undefined) this.#planLook()
  }

  close(): void {
    this.#timer?.cancel()
    this.#desk = undefined
  }

  #planLook(): void {
    if (this.#desk === undefined) return
    const now = this.#clock.wallTime()
    const delayMs = this.#nextLook(now) - now
    const dueAt = this.#clock.now() + delayMs
    this.#timer = this.#clock.setTimer(() => this.#look(this.#clock.now() - dueAt), delayMs)
  }

  #look(lateMs: number): void {
    this.#timer = undefined
    if (this.#desk === undefined) return
    const { backends, line } = this.#desk.report()
    const figures = this.#memory.now
    figures.lineMax = Math.max(figures.lineMax, line.waiting)
    figures.lateMax = Math.max(figures.lateMax, lateMs)
    let isBusy = this.#inHand > 0
    for (const { name, in_flight } of backends) {
      if (in_flight === 0) continue
      // Also a backend that has not stopped yet, though its event has ended.
      isBusy = true
      ofBackend(figures, name).busyMs += in_flight * SECOND_MS
    }
    if (isBusy) this.#planLook()
  }
}

function countEnd(figures: Figures, outcome: Outcome, waitedMs: number): void {
  note(figures.waits, waitedMs)
  if (outcome.error === 'cancelled') figures.cancelled += 1
  else if (outcome.error !== undefined)
    figures.errors.set(outcome.error, (figures.errors.get(outcome.error) ?? 0) + 1)
  else {
    figures.completed += 1
    note(figures.durations, outcome.duration_ms)
    if (!outcome.usage) return
    const backend = ofBackend(figures, outcome.backend)
    backend.tokensIn += outcome.usage.prompt_tokens
    backend.tokensOut += outcome.usage.completion_tokens
  }
}

/**
 * Each second has one look, at a moment that is drawn: events that come by a timetable would be seen always or never at a fixed
 * one. Where the moment of a second was over before anything ran or waited, there was nothing to see, and the second has had
 * its look.
 */
function createLooks(random: () => number): (now: number) => number {
  let looked = Number.NEGATIVE_INFINITY
  return (now) => {
    const second = Math.floor(now / SECOND_MS)
    if (second > looked) {
      looked = second
      const at = (second + random()) * SECOND_MS
      if (at > now) return at
    }
    looked = second + 1
    return (looked + random()) * SECOND_MS
  }
}
