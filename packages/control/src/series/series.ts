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
    // The rows of the store cannot be cut: where it knows more of the last hour than the memory, a chart of minutes tells more.
    const mayBeCoarse = query.stepMs === undefined && planned.stepMs < MINUTE_MS
    const isCoarse = mayBeCoarse && (await this.#knowsMore(planned))
    const steps = isCoarse ? planSteps({ ...query, stepMs: MINUTE_MS, from: planned.from }, now) : planned
    if (typeof steps === 'string') return steps
    const { from, stepMs, count } = steps
    const known = await this.#add(steps)
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

  async #knowsMore({ from, stepMs, count }: Steps): Promise<boolean> {
    const stored = this.#stored(from, from + count * stepMs, this.#memory.minutes)
    for await (const pieces of stored) if (pieces.length > 0) return true
    return false
  }

  /** What was counted in each step. */
  async #add({ from, stepMs, count }: Steps): Promise<readonly (Figures | undefined)[]> {
    const known: (Figures | undefined)[] = Array.from({ length: count }, () => undefined)
    const put = ({ at, figures }: Piece): void => {
      const place = Math.floor((at - from) / stepMs)
      if (place < 0 || place >= count) return
      const sum = known[place] ?? noFigures()
      known[place] = sum
      addFigures(sum, figures)
    }
    const minutes = this.#memory.minutes
    for (const minute of minutes) this.#memory.pieces(minute).forEach(put)
    if (stepMs < MINUTE_MS) return known
    const stored = this.#stored(from, from + count * stepMs, minutes)
    for await (const pieces of stored) pieces.forEach(put)
    return known
  }

  /** What only the store knows, some minutes at a time. `known`: these are remembered. */
  async *#stored(from: number, before: number, known: readonly Minute[]): AsyncGenerator<readonly Piece[]> {
    if (this.#store === undefined) return
    const remembered = new Set(known.map(({ at }) => at))
    try {
      for (let start = from; start < before; ) {
        const rows = await this.#store.listMinutes({ worker: this.#worker, from: start, before })
        const last = rows.at(-1)
        if (last === undefined) return
        yield rows.flatMap(({ at, counts }) => {
          const figures = remembered.has(at) ? undefined : readFigures(counts)
          return figures ? [{ at, figures }] : []
        })
        start = last.at + 1
        // Events go before charts.
        await setImmediate()
      }
    } catch (error) {
      // The last hour is in memory, and worth seeing when the store is away.
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString()
