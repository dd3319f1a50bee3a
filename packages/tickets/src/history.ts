import {
  type Clock,
  type Logger,
  type Outcome,
  type OutcomeContext,
  type OutcomeListener,
  silentLogger,
  systemClock,
  type Timer,
} from '@ai-ticket/core'
import type { HistoryEntry } from './ticket/new-ticket.ts'
import type { PruneRequest, TicketStore } from './ticket/ticket-store.ts'

/** `full`: prompts and answers. `metadata`: neither, but times, models, codes, attempts. `off`: nothing. */
export type HistoryMode = 'full' | 'metadata' | 'off'

/** For `createHistory`. */
export interface HistoryOptions {
  /** Yours: closing the history does not close it. */
  readonly store: TicketStore
  /** Default `full`. */
  readonly mode?: HistoryMode
  /** Finished tickets, events and counted minutes older than this are removed, in milliseconds. Default 7 days. */
  readonly keepMs?: number
  /** Dead letters (tickets that failed for good) are removed when they are older than this. Default 30 days. */
  readonly keepFailedMs?: number
  /** How many finished tickets and events to keep, the newest; dead letters are not counted. Default: all. */
  readonly keep?: number
  /** Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
}

/** What of a history can be changed while it runs. */
export type HistorySettings = Pick<HistoryOptions, 'mode' | 'keepMs' | 'keepFailedMs' | 'keep'>

/** Records events that are answered without a ticket, and removes what is old. */
export interface History extends AsyncDisposable {
  /** Other settings from here on; what is left out takes its default. What they no longer keep is removed soon. */
  change(settings: HistorySettings): void
  /** For the `onOutcome` of the dispatcher. Takes microseconds; never throws. */
  readonly onOutcome: OutcomeListener
  /** Writes what is left. May be called twice. */
  close(): Promise<void>
}

/** Outcomes in one interval; more of them are not recorded. A store that fails for long fills it, too. */
const BUFFERED = 2_000
/** Characters of all that waits to be written: a store that is slow or away must not fill the memory with large events. */
const BUFFERED_LENGTH = 32 * 1_024 * 1_024
/** From here on nothing waits for the end of the interval. */
const LENGTH_AT_ONCE = 1_024 * 1_024
const WRITE_INTERVAL_MS = 250
/**
 * Rows written at a time, for the event loop stands still meanwhile. They are written as soon as there are this many:
 * entries that are held for long survive garbage collections and make them expensive.
 */
const ROWS_AT_ONCE = 100
const PRUNE_INTERVAL_MS = 600_000
const SOON_MS = 10_000
const DAY_MS = 86_400_000
/**
 * A clock that has jumped further than this may be wrong: nothing is removed by age before the server has run with it for as long
 * again. An earlier process may have seen the jump: tickets of the last day tell nothing, for they may have the wrong time as
 * well; before them there is a gap.
 */
const DOUBTED_MS = DAY_MS

/**
 * Records events that are answered without a ticket, in the background: an event neither waits for its record nor fails
 * with it. Up to 250 ms of records are lost when the process is killed, with SQLite more in a power cut. It also
 * removes what is older than configured.
 */
export function createHistory(options: HistoryOptions): History {
  return new StoreHistory(options)
}

/** An entry that waits to be written. */
interface Held {
  readonly entry: HistoryEntry
  readonly length: number
}

class StoreHistory implements History {
  readonly #store: TicketStore
  #settings: ReturnType<typeof resolved>
  readonly #logger: Logger
  readonly #clock: Clock
  #buffer: Held[] = []
  /** Characters of the buffer and of what is being written. */
  #length = 0
  #dropped = 0
  #timer: Timer | undefined
  #pruning: Timer
  #isPruning = false
  #hasLookedBack = false
  /** On the steady clock: by age nothing is removed before. */
  #trustedFrom = Number.NEGATIVE_INFINITY
  /** Of wall time and steady clock: it changes when somebody sets the clock. */
  #offsetMs: number
  #writing: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor({ store, logger = silentLogger, clock = systemClock, ...settings }: HistoryOptions) {
    this.#store = store
    this.#settings = resolved(settings)
    this.#logger = logger
    this.#clock = clock
    this.#offsetMs = clock.wallTime() - clock.now()
    // Not at the start, which has better things to do.
    this.#pruning = clock.setTimer(() => void this.#prune(), SOON_MS)
  }

  change(settings: HistorySettings): void {
    this.#settings = resolved(settings)
    if (this.#isClosed || this.#isPruning) return
    this.#pruning.cancel()
    this.#pruning = this.#clock.setTimer(() => void this.#prune(), SOON_MS)
  }

  /** A function of its own: it is handed to the dispatcher. */
  readonly onOutcome: OutcomeListener = (outcome, context) => {
    // A ticket keeps its outcome itself.
    const { mode } = this.#settings
    if (mode === 'off' || this.#isClosed || context.isRecorded) return
    const finishedAt = Math.trunc(this.#clock.wallTime())
    const entry = entryOf(outcome, context, { finishedAt, isFull: mode === 'full' })
    const length = lengthOf(entry)
    const isTooLong = this.#length > 0 && this.#length + length > BUFFERED_LENGTH
    if (this.#buffer.length >= BUFFERED || isTooLong) {
      this.#dropped += 1
      return
    }
    this.#buffer.push({ entry, length })
    this.#length += length
    if (length >= LENGTH_AT_ONCE || this.#buffer.length === ROWS_AT_ONCE) this.#writeAfter(0)
    else if (this.#buffer.length === 1) this.#writeAfter(WRITE_INTERVAL_MS)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return await this.#writing
    this.#isClosed = true
    this.#timer?.cancel()
    this.#pruning.cancel()
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #writeAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(() => {
      this.#writing = this.#writing.then(() => this.#write())
    }, delayMs)
  }

  async #write(): Promise<void> {
    this.#timer = undefined
    const held = this.#buffer
    this.#buffer = []
    if (this.#dropped > 0)
      this.#logger.warn('events not recorded: too many at once', { count: this.#dropped })
    this.#dropped = 0
    try {
      for (let start = 0; start < held.length; start += ROWS_AT_ONCE) {
        await this.#store.record(held.slice(start, start + ROWS_AT_ONCE).map(({ entry }) => entry))
      }
    } catch (error) {
      this.#logger.error('Events were not recorded: the ticket store failed.', {
        count: held.length,
        error,
      })
    } finally {
      for (const { length } of held) this.#length -= length
    }
  }

  /** `aheadMs`: how far the clock has gone beyond what is known to have been. */
  #doubt(aheadMs: number): void {
    if (aheadMs < DOUBTED_MS) return
    this.#trustedFrom = this.#clock.now() + DOUBTED_MS
    this.#logger.warn(
      'The clock is far beyond the newest ticket, or was set forward: for a day, nothing is removed because of its age. If it is right, POST /tickets/prune removes at once.',
      { ahead_hours: Math.round(aheadMs / 3_600_000) },
    )
  }

  /** Once: whether this process was started behind a jump of the clock. */
  async #lookBack(): Promise<void> {
    if (this.#hasLookedBack) return
    const createdBefore = Math.trunc(this.#clock.wallTime()) - DOUBTED_MS
    const { tickets } = await this.#store.list({ createdBefore, limit: 1 })
    this.#hasLookedBack = true
    const [newest] = tickets
    if (newest) this.#doubt(createdBefore - newest.createdAt)
  }

  async #prune(): Promise<void> {
    this.#isPruning = true
    const settings = this.#settings
    const offsetMs = this.#clock.wallTime() - this.#clock.now()
    this.#doubt(offsetMs - this.#offsetMs)
    this.#offsetMs = offsetMs
    try {
      await this.#lookBack()
      const removed = await this.#store.prune(this.#outdated())
      if (removed > 0) this.#logger.info('old tickets removed', { count: removed })
    } catch (error) {
      this.#logger.error('Old tickets were not removed: the ticket store failed.', { error })
    }
    this.#isPruning = false
    if (this.#isClosed) return
    const pauseMs = settings === this.#settings ? PRUNE_INTERVAL_MS : SOON_MS
    this.#pruning = this.#clock.setTimer(() => void this.#prune(), pauseMs)
  }

  #outdated(): PruneRequest {
    const { keepMs, keepFailedMs, keep } = this.#settings
    const now = Math.trunc(this.#clock.wallTime())
    const isTrusted = this.#clock.now() >= this.#trustedFrom
    return {
      finishedBefore: isTrusted ? now - keepMs : 0,
      minutesBefore: isTrusted ? now - keepMs : 0,
      deadLettersBefore: isTrusted ? Math.max(0, now - keepFailedMs) : 0,
      ...(keep === undefined ? {} : { keep }),
    }
  }
}

const resolved = ({ mode = 'full', keepMs, keepFailedMs, keep }: HistorySettings) => ({
  mode,
  keepMs: keepMs ?? 7 * DAY_MS,
  keepFailedMs: keepFailedMs ?? 30 * DAY_MS,
  keep,
})

function entryOf(
  outcome: Outcome,
  { event, caller, door, takesAnyTurn, maxTokensIsCeiling }: OutcomeContext,
  { finishedAt, isFull }: { readonly finishedAt: number; readonly isFull: boolean },
): HistoryEntry {
  return {
    // A value that is no event is recorded by its failure alone.
    event: isFull && isObject(event) ? event : null,
    eventId: outcome.id,
    caller,
    ...(door === undefined ? {} : { door }),
    ...(takesAnyTurn && maxTokensIsCeiling ? { isChat: true } : {}),
    createdAt: finishedAt - outcome.duration_ms,
    finishedAt,
    outcome: isFull ? outcome : withoutText(outcome),
  }
}

/** Characters of all texts in a value, with something for every other. */
function lengthOf(value: unknown, depth = 0): number {
  if (typeof value === 'string') return value.length
  // An event in a program may be a circle.
  if (typeof value !== 'object' || value === null || depth > MOST_DEPTH) return 8
  let length = 16
  for (const part of Object.values(value)) length += lengthOf(part, depth + 1)
  return length
}

const MOST_DEPTH = 70

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function withoutText(outcome: Outcome): Outcome {
  if (outcome.error !== undefined) {
    const { partial: _partial, metadata: _metadata, ...rest } = outcome
    return rest
  }
  const { completion: _completion, id, model, backend, endpoint, finish_reason, usage } = outcome
  const { duration_ms, waited_ms = 0, attempts } = outcome
  const story = { finish_reason, usage, duration_ms, waited_ms, attempts }
  return { completion: '', id, model, backend, endpoint, ...story }
}
