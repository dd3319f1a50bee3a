import { randomUUID } from 'node:crypto'
import { type Clock, type Dispatcher, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { TicketOwner } from '../ticket/ticket.ts'
import type { TicketStore } from '../ticket/ticket-store.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * Pauses before the second, third… run, in milliseconds. The dispatcher repeats over seconds; this is for a box that is
 * switched on again in the morning. About eight hours in all.
 */
const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
]

/** For `createTicketDesk`, which throws a `TypeError` that names an option with a bad value. */
export interface TicketDeskOptions {
  /** Yours: closing the desk does not close it. */
  readonly store: TicketStore
  /** Yours, too. Close it beside the desk: what it ends as `shutting_down` goes back to the queue. */
  readonly dispatcher: Pick<Dispatcher, 'onEvent' | 'streamEvent' | 'freeSlots' | 'abandon' | 'health'>
  /** Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: `Math.random`. */
  readonly random?: () => number
  /** Stays the same when the process restarts, and is unique on this store. Default `local`. */
  readonly worker?: string
  /** Milliseconds a claim lasts without a sign of life. Default 30,000. */
  readonly leaseMs?: number
  /** Milliseconds between two savings of the text so far, of a run that is streamed. Default 1,000. */
  readonly progressMs?: number
  /** Pauses before the next run after a failure that may pass, in milliseconds. Default: eight, over eight hours. */
  readonly retryDelaysMs?: readonly number[]
  /** A ticket whose process died this often is given up: it may be the reason. Default 5. */
  readonly maxCrashes?: number
  /**
   * A ticket may be claimed before others whose prompts begin differently from what a backend has just read: so long, in
   * milliseconds, from the first time that each is passed over. Never before one of another priority. 0: never. Default
   * 10,000.
   */
  readonly overtakeMs?: number
}

export type ResolvedDeskOptions = Readonly<Required<Omit<TicketDeskOptions, 'worker'>>> & {
  readonly owner: TicketOwner
}

/** Fills in the defaults. Throws a `TypeError` that names the option with a bad value. */
export function resolveDeskOptions(options: TicketDeskOptions): ResolvedDeskOptions {
  const { worker = 'local', ...given } = options
  const resolved = {
    store: given.store,
    dispatcher: given.dispatcher,
    logger: given.logger ?? silentLogger,
    clock: given.clock ?? systemClock,
    random: given.random ?? Math.random,
    owner: { worker, session: randomUUID() },
    leaseMs: given.leaseMs ?? 30_000,
    progressMs: given.progressMs ?? 1_000,
    retryDelaysMs: given.retryDelaysMs ?? RETRY_DELAYS_MS,
    maxCrashes: given.maxCrashes ?? 5,
    overtakeMs: checkedOvertakeMs(given),
  }
  for (const name of ['leaseMs', 'progressMs', 'maxCrashes'] as const) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 1) {
      throw new TypeError(`${name} must be a whole number of at least 1, not ${resolved[name]}.`)
    }
  }
  if (worker === '') throw new TypeError('worker must not be empty.')
  return resolved
}

export function checkedOvertakeMs({ overtakeMs = 10_000 }: Pick<TicketDeskOptions, 'overtakeMs'>): number {
  if (Number.isFinite(overtakeMs) && overtakeMs >= 0) return overtakeMs
  throw new TypeError(`overtakeMs must be 0 or more, not ${overtakeMs}.`)
}
