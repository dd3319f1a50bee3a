import type { Clock, Dispatcher, Logger, Timer } from '@ai-ticket/core'
import type { TicketStore } from '@ai-ticket/tickets'
import type { DeskBody } from '../bodies/feed.ts'
import type { LineBody } from '../bodies/line.ts'
import { createDeskView } from './desk-view.ts'
import { createFeedReader, type FeedReader, type FeedReaderOptions } from './feed-reader.ts'
import { createRing, type Ring } from './ring.ts'

export interface FeedOptions {
  readonly dispatcher: Pick<Dispatcher, 'report'>
  readonly store: TicketStore | undefined
  readonly line: () => LineBody
  readonly worker: string
  readonly version: string
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
}

const TICK_MS = 250
/** The desk is looked at every second tick, the line every fourth. */
const [DESK_TICKS, LINE_TICKS] = [2, 4]
/** For so long changes are kept for the last reader, who may come back. */
const LINGER_TICKS = 120

export interface Arrival extends Omit<FeedReaderOptions, 'nameOf' | 'store'> {
  readonly lastEventId: string | undefined
}

/** One feed for all who read it. While nobody does, and nobody has just left, it watches nothing. */
export class Feed {
  readonly #options: FeedOptions
  readonly #readers = new Set<FeedReader>()
  readonly #desk: () => Promise<DeskBody>
  #ring: Ring | undefined
  #changed = new Set<string>()
  #ticks = 0
  #idleTicks = 0
  /** Of the settings, once they have changed. */
  #revision: string | undefined
  #timer: Timer | undefined
  #unsubscribe: (() => void) | undefined
  /** What was told last, so that only news is. */
  readonly #told = { desk: '', line: '' }

  constructor(options: FeedOptions) {
    this.#options = options
    this.#desk = createDeskView(options)
  }

  /** Gives back what ends it. */
  async join({ lastEventId, ...given }: Arrival): Promise<() => void> {
    const { clock, worker, version, store } = this.#options
    const ring = this.#start()
    const reader = createFeedReader({ ...given, store, nameOf: ring.nameOf })
    const missed = lastEventId === undefined ? undefined : ring.after(lastEventId)
    const now = new Date(clock.wallTime()).toISOString()
    reader.send('hello', { now, worker, version, resumed: missed !== undefined }, ring.place)
    if (lastEventId !== undefined && missed === undefined) reader.send('gap', {}, ring.place)
    this.#readers.add(reader)
    const leave = () => void this.#readers.delete(reader)
    reader.changed(missed ?? [])
    try {
      await this.#showAll(reader, ring)
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }

  /** The settings have changed. */
  tellConfig(revision: string): void {
    this.#revision = revision
    const ring = this.#ring
    if (ring !== undefined) for (const reader of this.#readers) this.#showConfig(reader, ring)
  }

  #showConfig(reader: FeedReader, { place }: Ring): void {
    const revision = this.#revision
    if (revision !== undefined && reader.wants('config')) reader.send('config', { revision }, place)
  }

  close(): void {
    this.#timer?.cancel()
    this.#unsubscribe?.()
    this.#timer = undefined
    this.#ring = undefined
  }

  #start(): Ring {
    this.#idleTicks = 0
    if (this.#ring) return this.#ring
    const session = Math.floor(this.#options.random() * 36 ** 8).toString(36)
    this.#ring = createRing(session)
    this.#unsubscribe = this.#options.store?.subscribe((id) => this.#changed.add(id))
    this.#timer = this.#options.clock.setTimer(() => this.#onTimer(), TICK_MS)
    return this.#ring
  }

  #onTimer(): void {
    const ring = this.#ring
    if (ring === undefined) return
    this.#idleTicks = this.#readers.size === 0 ? this.#idleTicks + 1 : 0
    if (this.#idleTicks > LINGER_TICKS) {
      this.close()
      return
    }
    const changes = [...this.#changed].map((id) => ring.add(id))
    this.#changed = new Set()
    const { clock, logger } = this.#options
    void this.#tick(ring, changes)
      .catch((error: unknown) => logger.error('feed failed', { error }))
      .finally(() => {
        if (this.#ring === ring) this.#timer = clock.setTimer(() => this.#onTimer(), TICK_MS)
      })
  }

  async #tick(ring: Ring, changes: ReturnType<Ring['add']>[]): Promise<void> {
    this.#ticks += 1
    if (this.#readers.size === 0) return
    if (this.#ticks % DESK_TICKS === 0) await this.#tellDesk(ring)
    if (this.#ticks % LINE_TICKS === 0) this.#tellLine(ring)
    for (const reader of this.#readers) {
      reader.changed(changes)
      if (await reader.tick(ring.place)) await this.#showAll(reader, ring)
    }
  }

  async #tellDesk(ring: Ring): Promise<void> {
    if (!this.#isWanted('desk')) return
    const desk = await this.#desk()
    if (!this.#isNews('desk', JSON.stringify(desk))) return
    for (const reader of this.#readers) if (reader.wants('desk')) reader.send('desk', desk, ring.place)
  }

  #tellLine(ring: Ring): void {
    if (!this.#isWanted('line')) return
    const line = this.#options.line()
    // An empty line is no news each second because the time is another one.
    if (!this.#isNews('line', JSON.stringify({ ...line, now: '' }))) return
    for (const reader of this.#readers) if (reader.wants('line')) reader.send('line', line, ring.place)
  }

  #isWanted(part: 'desk' | 'line'): boolean {
    return [...this.#readers].some((reader) => reader.wants(part))
  }

  #isNews(part: 'desk' | 'line', words: string): boolean {
    if (this.#told[part] === words) return false
    this.#told[part] = words
    return true
  }

  /** To one who has just come, or has missed something. */
  async #showAll(reader: FeedReader, ring: Ring): Promise<void> {
    if (reader.wants('desk')) reader.send('desk', await this.#desk(), ring.place)
    if (reader.wants('line')) reader.send('line', this.#options.line(), ring.place)
    this.#showConfig(reader, ring)
  }
}
