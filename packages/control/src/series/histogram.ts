/**
 * How often durations of each length occurred: a count for each range of lengths, eight ranges between a length and its double.
 * Two of them add up to one, so that a percentile of an hour is as good as one of ten seconds.
 */
export type Histogram = Map<number, number>

const RANGES = 8

/** Notes a duration of so many milliseconds. */
export function note(histogram: Histogram, ms: number): void {
  const range = ms < 1 ? 0 : 1 + Math.floor(Math.log2(ms) * RANGES)
  histogram.set(range, (histogram.get(range) ?? 0) + 1)
}

/** Adds the counts of another one. */
export function addHistogram(to: Histogram, other: Iterable<readonly [range: number, count: number]>): void {
  for (const [range, count] of other) to.set(range, (to.get(range) ?? 0) + count)
}

/**
 * The length that `share` of the durations do not exceed (nearest rank), in whole milliseconds; null: there are none. It is the
 * middle of its range, so off by 4.5 % at most; below 11 ms, where a whole millisecond is more than that, by one.
 */
export function percentile(histogram: Histogram, share: number): number | null {
  let left = 0
  for (const count of histogram.values()) left += count
  if (left === 0) return null
  left = Math.max(1, Math.ceil(left * share))
  for (const range of [...histogram.keys()].sort((one, other) => one - other)) {
    left -= histogram.get(range) ?? 0
    if (left <= 0) return range === 0 ? 0 : Math.round(2 ** ((range - 0.5) / RANGES))
  }
  return null
}
