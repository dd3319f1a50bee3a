import { inTurns, type Rounds } from '../numbers/in-turns.ts'
import { markdownTable } from '../numbers/markdown-table.ts'
import { median } from '../numbers/statistics.ts'
import type { Call, Contender } from '../servers/contender.ts'
import { type Ship, startBackend, startFleet } from '../servers/fleet.ts'
import { compare, costRatio, speedRatio } from './figures.ts'
import { measureThroughput, type Throughput } from './measure-throughput.ts'

export interface PairedOptions {
  readonly quick: boolean
  readonly folder: string
  say(what: string): void
}

export interface PairedServers {
  readonly servers: readonly Contender[]
  /** What each of them is asked, by its address. */
  readonly calls: Readonly<Record<string, Call>>
  /** What goes on beside the requests, from the start of a server to its end. */
  readonly attend?: (ship: Ship) => Promise<AsyncDisposable | undefined>
}

/** A server, against another one that differs from it in one thing. */
export interface Pair {
  readonly of: string
  readonly with: string
  /** As a share of the requests/s of the other one. */
  readonly atLeast: number
}

const CONNECTIONS = 16
/** Two starts of the same program differ by a tenth, so there are many, and each pair is compared within its own round. */
const STARTS = 6

const nameOf = (address: string, server: string) => `${address} ${server}`

/** Servers that differ in one thing, asked in turns. */
export async function benchPaired(
  { quick, folder, say }: PairedOptions,
  { servers, calls, attend }: PairedServers,
): Promise<Rounds<Throughput>> {
  await using backend = await startBackend('keep-alive', folder)
  const scores: Record<string, Throughput[]> = {}
  for (let start = 1; start <= (quick ? 1 : STARTS); start++) {
    say(`start ${start}`)
    await using stack = new AsyncDisposableStack()
    const order = start % 2 === 0 ? servers : servers.toReversed()
    const { ships } = stack.use(await startFleet(order, { backend, folder }))
    for (const ship of ships) {
      const attending = await attend?.(ship)
      if (attending) stack.use(attending)
    }
    const entries = Object.entries(calls).flatMap(([address, plain]) =>
      ships.map((ship) => ({ ...ship, name: nameOf(address, ship.name), plain })),
    )
    const measure = (durationMs: number) => (entry: (typeof entries)[number]) =>
      measureThroughput(entry, { connections: CONNECTIONS, durationMs })
    // V8 needs some 20,000 events before their cost no longer falls.
    await inTurns(entries, 1, measure(quick ? 1_500 : 5_000))
    const rounds = await inTurns(entries, entries.length, measure(quick ? 700 : 1_500))
    for (const [name, more] of Object.entries(rounds)) scores[name] = [...(scores[name] ?? []), ...more]
  }
  return scores
}

const against = (rounds: Rounds<Throughput>, address: string, pair: Pair, relate: typeof speedRatio) =>
  compare(rounds, { of: nameOf(address, pair.of), with: nameOf(address, pair.with) }, relate)

/** Whether each answers as many requests as it has to, at every address. */
export const arePairsKept = (
  rounds: Rounds<Throughput>,
  addresses: readonly string[],
  pairs: readonly Pair[],
): boolean =>
  addresses.every((address) =>
    pairs.every((pair) => (against(rounds, address, pair, speedRatio)?.median ?? 0) >= pair.atLeast),
  )

export function pairsTable(
  rounds: Rounds<Throughput>,
  addresses: readonly string[],
  pairs: readonly Pair[],
): string {
  const micros = (name: string) => median((rounds[name] ?? []).map(({ processorMicros }) => processorMicros))
  const rows = addresses.flatMap((address) =>
    pairs.map((pair) => {
      const speed = against(rounds, address, pair, speedRatio)
      const cost = against(rounds, address, pair, costRatio)
      return [
        `\`${address}\`, ${pair.of}`,
        micros(nameOf(address, pair.with)).toFixed(0),
        micros(nameOf(address, pair.of)).toFixed(0),
        `${cost?.median.toFixed(3)} ×`,
        `${speed?.median.toFixed(3)} × (${speed?.least.toFixed(2)} to ${speed?.most.toFixed(2)})`,
        `≥ ${pair.atLeast} ×`,
      ]
    }),
  )
  const head = ['', 'CPU µs without', 'CPU µs with', 'events per CPU second against without']
  return markdownTable([...head, 'requests/s against without', 'target'], rows)
}
