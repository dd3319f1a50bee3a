import { inTurns, type Rounds } from '../numbers/in-turns.ts'
import { markdownTable } from '../numbers/markdown-table.ts'
import { median } from '../numbers/statistics.ts'
import type { Contender } from '../servers/contender.ts'
import { aiTicket, direct, sourceFile } from '../servers/contenders.ts'
import { startBackend, startFleet } from '../servers/fleet.ts'
import { compare, costRatio, speedRatio } from './figures.ts'
import { measureThroughput, type Throughput } from './measure-throughput.ts'

export interface BenchDoorsOptions {
  readonly quick: boolean
  readonly folder: string
  say(what: string): void
}

const CONNECTIONS = 16
/** Two starts of the same program differ by a tenth, so there are many, and each pair is compared within its own round. */
const STARTS = 6
/** As many requests as before, but for what a measurement varies. */
const AT_LEAST = 0.98

const WITHOUT = 'without'
const WITH = 'with'
/** The doors that were there before. */
const CALLS = { '/event': aiTicket.plain, '/v1/chat/completions': direct.plain }
const ADDRESSES = Object.keys(CALLS) as (keyof typeof CALLS)[]

const nameOf = (address: string, which: string) => `${address} ${which}`

/** The same server without and with `@ai-ticket/doors`, asked in turns at the addresses that it has either way. */
export async function benchDoors({ quick, folder, say }: BenchDoorsOptions): Promise<Rounds<Throughput>> {
  await using backend = await startBackend('keep-alive', folder)
  const scores: Record<string, Throughput[]> = {}
  const servers = [serverOf(WITHOUT, 'metrics'), serverOf(WITH, 'doors')]
  for (let start = 1; start <= (quick ? 1 : STARTS); start++) {
    say(`start ${start}`)
    await using fleet = await startFleet(start % 2 === 0 ? servers : servers.toReversed(), {
      backend,
      folder,
    })
    const entries = ADDRESSES.flatMap((address) =>
      fleet.ships.map((ship) => ({ ...ship, name: nameOf(address, ship.name), plain: CALLS[address] })),
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

const serverOf = (name: string, part: string): Contender => ({
  ...aiTicket,
  name,
  healthPath: '/livez',
  program: ({ port, backendUrl }) => ({
    args: [sourceFile('event/part-server.mjs'), String(port), backendUrl, part],
  }),
})

const against = (rounds: Rounds<Throughput>, address: string, relate: typeof speedRatio) =>
  compare(rounds, { of: nameOf(address, WITH), with: nameOf(address, WITHOUT) }, relate)

/** Whether the doors that were there before are as quick as without the others. */
export const areDoorsFree = (rounds: Rounds<Throughput>): boolean =>
  ADDRESSES.every((address) => (against(rounds, address, speedRatio)?.median ?? 0) >= AT_LEAST)

export function doorsTable(rounds: Rounds<Throughput>): string {
  const micros = (name: string) => median((rounds[name] ?? []).map(({ processorMicros }) => processorMicros))
  const rows = ADDRESSES.map((address) => {
    const speed = against(rounds, address, speedRatio)
    const cost = against(rounds, address, costRatio)
    return [
      `\`${address}\``,
      micros(nameOf(address, WITHOUT)).toFixed(0),
      micros(nameOf(address, WITH)).toFixed(0),
      `${cost?.median.toFixed(3)} ×`,
      `${speed?.median.toFixed(3)} × (${speed?.least.toFixed(2)} to ${speed?.most.toFixed(2)})`,
    ]
  })
  const head = ['', 'CPU µs without', 'CPU µs with', 'events per CPU second against without']
  return markdownTable([...head, 'requests/s against without'], rows)
}
