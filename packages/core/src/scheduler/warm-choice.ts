/** One that waits for a slot which is free, as far as warmth may change whose turn it is. Times in milliseconds. */
export interface Candidate {
  /** What the slot need not read of its prompt. */
  readonly savedMs: number
  /** How long its work is likely to take in this slot. */
  readonly workMs: number
  /** With its age. */
  readonly priority: number
  readonly deadlineAt: number
  /** When somebody was served before it for the first time because of warmth. */
  readonly passedAt: number | undefined
}

/** A gain below this is no reason to change an order. */
const LEAST_GAIN_MS = 20
const LEAST_GAIN = 0.05

const isWorthIt = (gainMs: number, of: number): boolean => gainMs > Math.max(LEAST_GAIN_MS, LEAST_GAIN * of)

/**
 * The waiter that gets the slot: of those in the order of their turn, the one that saves the most, as long as nobody before it has a
 * higher priority, misses its deadline, or waits beyond the bound. Returns its place in the order.
 */
export function pickCandidate(
  order: readonly Candidate[],
  { now, overtakeMs }: { readonly now: number; readonly overtakeMs: number },
): number {
  const [first] = order
  if (!first) return -1
  let best = 0
  let bestSavedMs = first.savedMs
  let passedPriority = Number.NEGATIVE_INFINITY
  /** By then the slot must be free for all that were passed. */
  let mustEndBy = Number.POSITIVE_INFINITY
  for (const [place, candidate] of order.entries()) {
    const { savedMs, workMs, priority } = candidate
    const mayPass = priority >= passedPriority && now + workMs <= mustEndBy
    if (place > 0 && mayPass && isWorthIt(savedMs - bestSavedMs, candidate.workMs)) {
      best = place
      bestSavedMs = savedMs
    }
    passedPriority = Math.max(passedPriority, priority)
    mustEndBy = Math.min(mustEndBy, latestPass(candidate, now, overtakeMs))
  }
  return best
}

/** Until when a slot may be given to somebody behind this one, or held. */
export function latestPass({ passedAt, deadlineAt, workMs }: Candidate, now: number, overtakeMs: number) {
  return Math.min((passedAt ?? now) + overtakeMs, deadlineAt - workMs)
}

/** What an event may expect of a backend. Times in milliseconds. */
export interface Offer {
  /** Until it would start there. */
  readonly waitMs: number
  /** How long it would take there then. */
  readonly workMs: number
  readonly savedMs: number
  /** What others lose because their prompt is pushed out. */
  readonly lossMs: number
}

const costOf = ({ waitMs, workMs, lossMs }: Offer): number => waitMs + workMs + lossMs

/** The cheapest of the offers, in order of preference: a later one has to be clearly cheaper. */
export function cheapest(offers: readonly Offer[]): number {
  let best = 0
  let bestMs = Number.POSITIVE_INFINITY
  for (const [place, offer] of offers.entries()) {
    const costMs = costOf(offer)
    if (place > 0 && !isWorthIt(bestMs - costMs, bestMs)) continue
    best = place
    bestMs = costMs
  }
  return best
}

/** Whether a warm backend is worth waiting for, although another one is free now. */
export const isWorthWaiting = (busy: Offer, free: Offer): boolean =>
  busy.savedMs > free.savedMs && isWorthIt(costOf(free) - costOf(busy), costOf(free))

/** How soon a caller's next prompt follows its last answer, as far as the desk has seen. A value. */
export interface Returns {
  readonly seen: number
  readonly returned: number
}

/** Before anything was seen, one in twenty is believed to return at once. */
export const noReturns: Returns = { seen: 1, returned: 0.05 }

const KEPT = 0.8

export const afterReturn = ({ seen, returned }: Returns, hasReturned: boolean): Returns => ({
  seen: KEPT * seen + 1,
  returned: KEPT * returned + (hasReturned ? 1 : 0),
})

/** Whether a slot is worth holding for a prompt that may come: by what it would save, and how likely it comes. */
export const isWorthHolding = (savedMs: number, { seen, returned }: Returns, lingerMs: number): boolean =>
  savedMs * (returned / seen) > lingerMs
