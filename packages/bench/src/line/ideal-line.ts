/** Servers of one slot each that all take the same time for everything. */
export interface Servers {
  readonly count: number
  readonly serviceMs: number
}

/** How long each of so many events waits that all come at once, if no server is ever left without work. */
export const idealBurst = (events: number, { count, serviceMs }: Servers): number[] =>
  Array.from({ length: events }, (_, place) => Math.floor(place / count) * serviceMs)

/**
 * The same for callers that each send their next event when the last is answered: the first one as in a burst, each
 * later one behind one event of every other caller.
 */
export function idealLoop(callers: number, eventsEach: number, servers: Servers): number[] {
  const later = Math.max(0, callers / servers.count - 1) * servers.serviceMs
  return [...idealBurst(callers, servers), ...Array.from({ length: callers * (eventsEach - 1) }, () => later)]
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The least value that so large a share of the values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
