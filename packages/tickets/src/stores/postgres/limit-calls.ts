/** Within this share of the capacity the count may be a little old. */
const CAREFREE_SHARE = 0.9
const COUNT_LASTS_MS = 1_000

/**
 * How many tickets wait. Counting a long queue for every accept would slow it down: far from its limit the count of the
 * last second, and what was accepted here since, is good enough; near the limit it is counted each time.
 */
export function createRoom(options: {
  readonly capacity: number
  readonly count: () => Promise<number>
  readonly now: () => number
}) {
  const { capacity, count, now } = options
  let counted = Number.POSITIVE_INFINITY
  let countedAt = Number.NEGATIVE_INFINITY
  return {
    async queued(): Promise<number> {
      if (counted < capacity * CAREFREE_SHARE && now() - countedAt < COUNT_LASTS_MS) return counted
      counted = await count()
      countedAt = now()
      return counted
    },
    accepted(number: number): void {
      counted += number
    },
  }
}
