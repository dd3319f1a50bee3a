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

/** The most that go into one transaction. */
const LARGEST_GROUP = 250

interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

/**
 * Does one group at a time; calls that come meanwhile make up the next one. Many callers share one commit, and a single
 * caller does not wait. Where a whole group fails because of one member, each member is tried alone.
 */
export function groupCalls<Item, Result>(options: {
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>
  /** True: trying its members alone would fail in the same way. */
  readonly isCommon: (error: unknown) => boolean
}): (item: Item) => Promise<Result> {
  const { run, isCommon } = options
  let waiting: Waiting<Item, Result>[] = []
  let isRunning = false

  async function runAll(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, LARGEST_GROUP)
      waiting = waiting.slice(LARGEST_GROUP)
      await runGroup(group)
    }
    isRunning = false
  }

  async function runGroup(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await run(group.map(({ item }) => item))
      for (const [index, result] of results.entries()) group[index]?.resolve(result)
    } catch (error) {
      if (group.length === 1 || isCommon(error)) {
        for (const { reject } of group) reject(error)
      } else {
        for (const one of group) await runGroup([one])
      }
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!isRunning) void runAll()
    })
}
