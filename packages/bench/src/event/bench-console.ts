import type { Rounds } from '../numbers/in-turns.ts'
import type { Contender, ProgramPlace } from '../servers/contender.ts'
import { aiTicket, withEnvironment } from '../servers/contenders.ts'
import type { Ship } from '../servers/fleet.ts'
import type { Throughput } from './measure-throughput.ts'
import { arePairsKept, benchPaired, type Pair, type PairedOptions, pairsTable } from './paired-servers.ts'

const OFF = 'without the console'
const ON = 'with the console'
const READ = 'with a reader of its feed'

const PAIRS: readonly Pair[] = [
  // As many requests as before, but for what a measurement varies.
  { of: ON, with: OFF, atLeast: 0.98 },
  { of: READ, with: ON, atLeast: 0.97 },
]

const CALLS = { '/event': aiTicket.plain }
const ADDRESSES = Object.keys(CALLS)

/** The published server without its console, with it, and with somebody who looks at it all the time. */
export const benchConsole = (options: PairedOptions): Promise<Rounds<Throughput>> =>
  benchPaired(options, {
    servers: [serverOf(OFF, 'false'), serverOf(ON, 'true'), serverOf(READ, 'true')],
    calls: CALLS,
    attend: async (ship) => (ship.name === READ ? readFeed(ship) : undefined),
  })

const serverOf = (name: string, isOn: string): Contender => ({
  ...aiTicket,
  name,
  program: (place: ProgramPlace) => {
    const program = aiTicket.program?.(place)
    if (program === undefined) throw new TypeError('It has no program of its own.')
    return withEnvironment(program, { AI_TICKET_CONSOLE: isOn })
  },
})

/** Reads what a page with the list of tickets reads. Rejects at the end if it was not told of any ticket. */
async function readFeed({ url }: Ship): Promise<AsyncDisposable> {
  const leaving = new AbortController()
  const { body, ok } = await fetch(`${url}/feed`, { signal: leaving.signal })
  if (!ok || body === null) throw new Error('The server gives no feed.')
  let tickets = 0
  const reading = (async () => {
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      tickets += text.split('event: ticket\n').length - 1
    }
    throw new Error('The server has ended its feed.')
  })().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error
  })
  // Heard at the end.
  reading.catch(() => {})
  return {
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await reading
      if (tickets === 0) throw new Error('The feed has told of no ticket.')
    },
  }
}

/** Whether the console costs those nothing who do not use it, and its readers cost little. */
export const isConsoleCheap = (rounds: Rounds<Throughput>): boolean => arePairsKept(rounds, ADDRESSES, PAIRS)

export const consoleTable = (rounds: Rounds<Throughput>): string => pairsTable(rounds, ADDRESSES, PAIRS)
