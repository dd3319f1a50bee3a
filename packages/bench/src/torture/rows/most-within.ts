/** The largest number of values that lie within one window of this width. */
export function mostWithin(values: readonly number[], width: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  let most = 0
  let first = 0
  for (const [last, value] of sorted.entries()) {
    while (value - (sorted[first] ?? 0) > width) first += 1
    most = Math.max(most, last - first + 1)
  }
  return most
}
