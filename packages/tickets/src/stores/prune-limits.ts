import type { PruneRequest } from '../ticket/ticket-store.ts'

/** The place of a ticket among the finished ones: by its end, then by its number. */
export type FinishedPlace = readonly [finishedAt: number, seq: number]

/** The first places that stay. */
export interface PruneLimits {
  readonly deadLetters: FinishedPlace
  /** Everything else that is finished. */
  readonly others: FinishedPlace
}

/** `oldestKept`: the last of the newest `keep` that are not dead letters; undefined where there are fewer. */
export function pruneLimits(
  { finishedBefore = 0, deadLettersBefore = finishedBefore, keep }: PruneRequest,
  oldestKept: FinishedPlace | undefined,
): PruneLimits {
  const byNumber = keep === 0 ? END : (oldestKept ?? [0, 0])
  const byAge: FinishedPlace = [finishedBefore, 0]
  return { deadLetters: [deadLettersBefore, 0], others: byNumber[0] < byAge[0] ? byAge : byNumber }
}

export interface PruneStatements {
  limits(request: PruneRequest): Promise<PruneLimits>
  count(limits: PruneLimits): Promise<number>
  /** Removes some of what lies before the limits; says how many. */
  removeSome(limits: PruneLimits): Promise<number>
  /** Removes the minutes that began before. */
  removeMinutes(before: number): Promise<unknown>
}

/** Removes in small steps, so that no other call waits long behind one. */
export async function prune(request: PruneRequest, statements: PruneStatements): Promise<number> {
  const limits = await statements.limits(request)
  if (request.dryRun) return await statements.count(limits)
  if (request.minutesBefore !== undefined && request.minutesBefore > 0)
    await statements.removeMinutes(request.minutesBefore)
  let removed = 0
  for (;;) {
    const step = await statements.removeSome(limits)
    removed += step
    if (step === 0) return removed
  }
}

const END: FinishedPlace = [Number.MAX_SAFE_INTEGER, 0]

/** Stores have an index for each kind, with these words: what is kept of one never lies in the way to the other. */
export const DEAD_LETTERS = "finished_at IS NOT NULL AND kind = 'ticket' AND status = 'failed'"
export const NO_DEAD_LETTERS = "finished_at IS NOT NULL AND NOT (kind = 'ticket' AND status = 'failed')"
