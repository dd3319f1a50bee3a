import { setImmediate } from 'node:timers/promises'
import {
  type Clock,
  type Dispatcher,
  type Logger,
  type Observer,
  silentLogger,
  systemClock,
  type Timer,
} from '@ai-ticket/core'
import { StoreUnavailable, type TicketStore } from '@ai-ticket/tickets'
import type { SeriesBody } from '../bodies/series.ts'
import { columnsOf } from './columns.ts'
import { EventCounter } from './count-events.ts'
import { addFigures, type Figures, noFigures, readFigures, writeFigures } from './figures.ts'
import { MINUTE_MS, type Minute, type Piece, SeriesMemory } from './memory.ts'
import { planSteps, type SeriesQuery, type Steps } from './steps.ts'

/** For `createSeries`. */
export interface SeriesOptions {
  /** Who counts: finds its minutes again in the store after a restart, and tells servers on one PostgreSQL apart. */
  readonly worker: string
  /** Where each minute is kept. Yours: it has to be open until the series is closed. Default: the last hour, in memory. */
  readonly store?: Pick<TicketStore, 'saveMinutes' | 'listMinutes'>
  /** Hears of minutes that could not be stored. Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: `Math.random`. */
  readonly random?: () => number
}

/** What a server counted over time: ten-second steps of the last hour in memory, and a row a minute in the store. */
export interface Series {
  /** For `createDispatcher({ observer })`: without it nothing is counted. An event costs a few additions. */
  readonly observer: Required<Observer>
  /** Begins to look at the desk, and to store. `controlRoutes` calls it. */
  begin(dispatcher: Pick<Dispatcher, 'report'>): void
  /** The body of `GET /series`; a text says what is wrong with the question. Where the store is away, its part is a gap. */
  read(query: SeriesQuery): Promise<Omit<SeriesBody, 'worker'> | string>
  /** Stores what is left. May be called twice. */
  close(): Promise<void>
}

/** See `Series`. Hand its `observer` to the dispatcher, and the series to `controlRoutes`. */
export function createSeries(options: SeriesOptions): Series {
  return new StoredSeries(options)
}

class StoredSeries implements Series {
  readonly #worker: string
  readonly #store: SeriesOptions['store']
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #memory: SeriesMemory
  readonly #counter: EventCounter
  #desk: Pick<Dispatcher, 'report'> | undefined
  #timer: Timer | undefined
  #storing: Promise<void> = Promise.resolve()
  /** Whether somebody has been told that the store does not take them. */
  #isFailing = false
  #isClosed = false

  constructor({ worker, store, logger = silentLogger, clock = systemClock, random }: SeriesOptions) {
    this.#worker = worker
    this.#store = store
    this.#logger = logger
    this.#clock = clock
    this.#memory = new SeriesMemory(clock)
    this.#counter = new EventCounter({ memory: this.#memory, clock, random: random ?? Math.random })
  }

  get observer(): Required<Observer> {
    return this.#counter.observer
  }

  begin(dispatcher: Pick<Dispatcher, 'report'>): void {
    if (this.#isClosed) return
    this.#desk = dispatcher
    this.#counter.watch(dispatcher)
    this.#onMinute()
  }

  async read(query: SeriesQuery): Promise<Omit<SeriesBody, 'worker'> | string> {
    const now = this.#clock.wallTime()
    const planned = planSteps(query, now)
    if (typeof planned === 'string') return planned
    const { pieces, isCoarse } = await this.#piecesOf(planned, query.stepMs === undefined)
    const steps = isCoarse ? planSteps({ ...query, stepMs: MINUTE_MS, from: planned.from }, now) : planned
    if (typeof steps === 'string') return steps
    const { from, stepMs, count } = steps
    const known: (Figures | undefined)[] = Array.from({ length: count }, () => undefined)
    for (const { at, figures } of pieces) {
      const place = Math.floor((at - from) / stepMs)
      if (place < 0 || place >= count) continue
      const sum = known[place] ?? noFigures()
      known[place] = sum
      addFigures(sum, figures)
    }
    const names = this.#desk?.report().backends.map(({ name }) => name) ?? []
    return {
      object: 'series',
      from: timeOf(from),
      to: timeOf(from + count * stepMs),
      step_s: stepMs / 1_000,
      t: known.map((_, place) => timeOf(from + place * stepMs)),
      ...columnsOf(known, names),
    }
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#timer?.cancel()
      this.#counter.close()
      this.#storing = this.#storing.then(() => this.#save(this.#memory.minutes))
    }
    await this.#storing
  }

  #onMinute(): void {
    const { number } = this.#memory.remember()
    const ended = this.#memory.minutes.filter((minute) => minute.number < number)
    this.#storing = this.#storing.then(() => this.#save(ended))
    const leftMs = MINUTE_MS - (this.#clock.wallTime() % MINUTE_MS)
    this.#timer = this.#clock.setTimer(() => this.#onMinute(), leftMs)
  }

  async #save(minutes: readonly Minute[]): Promise<void> {
    const left = minutes.filter(({ isStored }) => !isStored)
    if (this.#store === undefined || left.length === 0) return
    try {
      const rowOf = (minute: Minute) => ({
        ...{ worker: this.#worker, at: minute.at, counts: writeFigures(this.#memory.sumOf(minute)) },
      })
      await this.#store.saveMinutes(left.map(rowOf))
      for (const minute of left) minute.isStored = true
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        this.#logger.warn('What was counted could not be stored; it is tried again each minute.', { error })
      this.#isFailing = true
    }
  }

  /**
   * What was counted in the range. `mayBeCoarse`: where the store knows more of it than the memory, steps may be minutes instead
   * of ten seconds (`isCoarse`); the rows of the store cannot be cut.
   */
  async #piecesOf(
    { from, stepMs, count }: Steps,
    mayBeCoarse: boolean,
  ): Promise<{ readonly pieces: readonly Piece[]; readonly isCoarse: boolean }> {
    const minutes = this.#memory.minutes
    const pieces = minutes.flatMap((minute) => this.#memory.pieces(minute))
    if (stepMs < MINUTE_MS && !mayBeCoarse) return { pieces, isCoarse: false }
    const remembered = new Set(minutes.map(({ at }) => at))
    const stored = (await this.#stored(from, from + count * stepMs)).filter(({ at }) => !remembered.has(at))
    if (stepMs >= MINUTE_MS) return { pieces: [...stored, ...pieces], isCoarse: false }
    const isCoarse = stored.length > 0
    return { pieces: isCoarse ? [...stored, ...pieces] : pieces, isCoarse }
  }

  async #stored(from: number, before: number): Promise<readonly Piece[]> {
    if (this.#store === undefined) return []
    const pieces: Piece[] = []
    try {
      for (let start = from; start < before; ) {
        const rows = await this.#store.listMinutes({ worker: this.#worker, from: start, before })
        for (const { at, counts } of rows) {
          const figures = readFigures(counts)
          if (figures) pieces.push({ at, figures })
        }
        const last = rows.at(-1)
        if (last === undefined) break
        start = last.at + 1
        // Events go before charts.
        await setImmediate()
      }
    } catch (error) {
      // The last hour is in memory, and worth seeing when the store is away.
      if (!(error instanceof StoreUnavailable)) throw error
    }
    return pieces
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString()
