export interface HostLimits {
  /** Attempts at a time. */
  readonly concurrency: number
  /** Of them, to one host and port. */
  readonly concurrencyPerHost: number
}

/** Which hosts are being sent to, by `host:port`. A value: changes give back a new one. */
export type HostLoad = ReadonlyMap<string, number>

export const addedTo = (load: HostLoad, host: string): HostLoad =>
  new Map([...load, [host, (load.get(host) ?? 0) + 1]])

export const removedFrom = (load: HostLoad, host: string): HostLoad =>
  new Map(
    [...load]
      .map(([name, number]) => [name, name === host ? number - 1 : number] as const)
      .filter(([, number]) => number > 0),
  )

/** How much to claim, and for which hosts nothing. */
export function deliveryRoom(
  load: HostLoad,
  { concurrency, concurrencyPerHost }: HostLimits,
): { readonly limit: number; readonly busyHosts: readonly string[] } {
  const sending = [...load.values()].reduce((sum, number) => sum + number, 0)
  const busiest = Math.max(0, ...[...load.values()].filter((number) => number < concurrencyPerHost))
  return {
    // So few that they fit even if all of them go to the busiest host that has room.
    limit: Math.min(concurrency - sending, concurrencyPerHost - busiest),
    busyHosts: [...load].filter(([, number]) => number >= concurrencyPerHost).map(([host]) => host),
  }
}
