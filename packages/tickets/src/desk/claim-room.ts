import type { FreeSlots } from '@ai-ticket/core'
import type { ActiveRun } from './run-ticket.ts'

/** A ticket that waits this long in the dispatcher's line holds no slot: others are claimed beside it. */
const PARKED_AFTER_MS = 2_000

/** How much to claim. */
export interface ClaimRoom {
  /** Not more tickets than this; 0 or less: none. */
  readonly limit: number
  /** Tickets that ask for one of these by name stay in the queue. */
  readonly busyBackends: readonly string[]
}

/**
 * How many tickets would get a slot at once. A ticket for an unknown backend is claimed, so that it fails instead
 * of waiting.
 */
export function claimRoom(
  slots: readonly FreeSlots[],
  { runs, now }: { readonly runs: readonly ActiveRun[]; readonly now: number },
): ClaimRoom {
  const free = slots.reduce((sum, { free }) => sum + free, 0)
  const all = slots.reduce((sum, { concurrency }) => sum + concurrency, 0)
  const starting = runs.filter(({ hasSlot, since }) => !hasSlot && now - since < PARKED_AFTER_MS).length
  return {
    limit: Math.min(free - starting, 2 * all - runs.length),
    busyBackends: slots.filter(({ free }) => free <= 0).map(({ backend }) => backend),
  }
}
