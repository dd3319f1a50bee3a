import {
  type Clock,
  type Logger,
  type Outcome,
  type OutcomeListener,
  silentLogger,
  systemClock,
  type Timer,
} from '@ai-ticket/core'
import type { HistoryEntry } from './ticket/new-ticket.ts'
import type { PruneRequest, TicketStore } from './ticket/ticket-store.ts'

/** `full`: prompts and answers. `metadata`: neither, but times, models, codes, attempts. `off`: nothing. */
export type HistoryMode = 'full' | 'metadata' | 'off'

export interface HistoryOptions {
  readonly store: TicketStore
  /** Default `full`. */
  readonly mode?: HistoryMode
  /** Finished tickets and events older than this are removed, in milliseconds. Default 7 days. */
  readonly keepMs?: number
  /** Dead letters (tickets that failed for good) are removed when they are older than this. Default 30 days. */
  readonly keepFailedMs?: number
  /** Of finished tickets and events, so many are kept at most, the newest; dead letters beside them. Default: all. */
  readonly keep?: number
  /** Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
}

export interface History extends AsyncDisposable {
  /** For the `onOutcome` of the dispatcher. Takes microseconds; never throws. */
  readonly onOutcome: OutcomeListener
  /** Writes what is left. May be called twice. */
  close(): Promise<void>
}

/** More outcomes than this in one interval, or a store that fails so long: the newest are not recorded. */
const BUFFERED = 2_000
const WRITE_INTERVAL_MS = 250
/**
 * The event loop stands still while rows are written: a few at a time. As soon as so many are there they are written:
 * what is held for long survives collections of garbage and makes them dear.
 */
const ROWS_AT_ONCE = 100
const PRUNE_INTERVAL_MS = 600_000
const DAY_MS = 86_400_000

/**
 * Records events that are answered without a ticket, in the background: an event neither waits for its record nor fails
 * with it. Up to 250 ms of records are lost when the process is killed, with SQLite more in a power cut. Removes what is older than it shall be kept.
 */
export function createHistory(options: HistoryOptions): History {
  const { store, mode = 'full', keep, logger = silentLogger, clock = systemClock } = options
  const { keepMs = 7 * DAY_MS, keepFailedMs = 30 * DAY_MS } = options
  let buffer: HistoryEntry[] = []
  let dropped = 0
  let timer: Timer | undefined
  let writing: Promise<void> = Promise.resolve()
  let isClosed = false

  function writeAfter(delayMs: number): void {
    timer?.cancel()
    timer = clock.setTimer(() => {
      writing = writing.then(write)
    }, delayMs)
  }

  async function write(): Promise<void> {
    timer = undefined
    const entries = buffer
    buffer = []
    if (dropped > 0) logger.warn('events not recorded: too many at once', { count: dropped })
    dropped = 0
    try {
      for (let start = 0; start < entries.length; start += ROWS_AT_ONCE) {
        await store.record(entries.slice(start, start + ROWS_AT_ONCE))
      }
    } catch (error) {
      logger.error('Events were not recorded: the ticket store failed.', { count: entries.length, error })
    }
  }

  async function prune(): Promise<void> {
    const now = Math.trunc(clock.wallTime())
    const request: PruneRequest = {
      finishedBefore: now - keepMs,
      deadLettersBefore: Math.max(0, now - keepFailedMs),
      ...(keep === undefined ? {} : { keep }),
    }
    try {
      const removed = await store.prune(request)
      if (removed > 0) logger.info('old tickets removed', { count: removed })
    } catch (error) {
      logger.error('Old tickets were not removed: the ticket store failed.', { error })
    }
    if (!isClosed) pruning = clock.setTimer(() => void prune(), PRUNE_INTERVAL_MS)
  }

  // After the start, which has better things to do.
  let pruning = clock.setTimer(() => void prune(), 10_000)

  const history: History = {
    onOutcome(outcome, { event, caller, isRecorded }) {
      // A ticket keeps its outcome itself.
      if (mode === 'off' || isClosed || isRecorded) return
      if (buffer.length >= BUFFERED) {
        dropped += 1
        return
      }
      const finishedAt = Math.trunc(clock.wallTime())
      buffer.push(entryOf(outcome, { event, caller, finishedAt, isFull: mode === 'full' }))
      if (buffer.length === 1) writeAfter(WRITE_INTERVAL_MS)
      else if (buffer.length === ROWS_AT_ONCE) writeAfter(0)
    },
    async close() {
      if (isClosed) return await writing
      isClosed = true
      timer?.cancel()
      pruning.cancel()
      writing = writing.then(write)
      await writing
    },
    [Symbol.asyncDispose]: () => history.close(),
  }
  return history
}

function entryOf(
  outcome: Outcome,
  given: { event: unknown; caller: string; finishedAt: number; isFull: boolean },
): HistoryEntry {
  const { event, caller, finishedAt, isFull } = given
  return {
    // What is no event at all is recorded by its failure alone.
    event: isFull && isObject(event) ? event : null,
    eventId: outcome.id,
    caller,
    createdAt: finishedAt - outcome.duration_ms,
    finishedAt,
    outcome: isFull ? outcome : withoutText(outcome),
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function withoutText(outcome: Outcome): Outcome {
  if ('error' in outcome) {
    const { partial: _partial, metadata: _metadata, ...rest } = outcome
    return rest
  }
  const { completion: _completion, id, model, backend, endpoint, finish_reason, usage } = outcome
  const { duration_ms, attempts } = outcome
  return { completion: '', id, model, backend, endpoint, finish_reason, usage, duration_ms, attempts }
}
