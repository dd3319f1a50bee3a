import type { Rounds } from '../numbers/in-turns.ts'
import type { Contender } from '../servers/contender.ts'
import { aiTicket, direct, sourceFile } from '../servers/contenders.ts'
import type { Throughput } from './measure-throughput.ts'
import { arePairsKept, benchPaired, type Pair, type PairedOptions, pairsTable } from './paired-servers.ts'

/** As many requests as before, but for what a measurement varies. */
const PAIRS: readonly Pair[] = [{ of: 'with', with: 'without', atLeast: 0.98 }]

/** The doors that were there before. */
const CALLS = { '/event': aiTicket.plain, '/v1/chat/completions': direct.plain }
const ADDRESSES = Object.keys(CALLS)

/** The same server without and with `@ai-ticket/doors`, asked in turns at the addresses that it has either way. */
export const benchDoors = (options: PairedOptions): Promise<Rounds<Throughput>> =>
  benchPaired(options, {
    servers: [serverOf('without', 'metrics'), serverOf('with', 'doors')],
    calls: CALLS,
  })

const serverOf = (name: string, part: string): Contender => ({
  ...aiTicket,
  name,
  healthPath: '/livez',
  program: ({ port, backendUrl }) => ({
    args: [sourceFile('event/part-server.mjs'), String(port), backendUrl, part],
  }),
})

/** Whether the doors that were there before are as quick as without the others. */
export const areDoorsFree = (rounds: Rounds<Throughput>): boolean => arePairsKept(rounds, ADDRESSES, PAIRS)

export const doorsTable = (rounds: Rounds<Throughput>): string => pairsTable(rounds, ADDRESSES, PAIRS)
