import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { inTurns, type Rounds } from '../numbers/in-turns.ts'
import type { Contender } from '../servers/contender.ts'
import { sourceFile } from '../servers/contenders.ts'
import { type BackendMode, type Ship, startBackend, startContender, startFleet } from '../servers/fleet.ts'
import type { Figures, Memory } from './figures.ts'
import { measureFirstToken, measureLatency } from './measure-latency.ts'
import { measureThroughput, type Throughput } from './measure-throughput.ts'
import { residentMegabytes } from './process-usage.ts'

/** How much is measured. Times in milliseconds. */
export interface Amount {
  readonly rounds: number
  readonly warmUpMs: number
  readonly windowMs: number
  /** Plain requests a round on one connection. */
  readonly requests: number
  /** Streams a round on one connection. */
  readonly streams: number
  readonly withClosingBackend: boolean
}

export interface TakeFiguresOptions {
  readonly amount: Amount
  readonly folder: string
  contendersFor(backendUrl: string): readonly Contender[]
  say(what: string): void
}

const CONNECTIONS = 16
/** Every request leaves a port in wait for a minute, and there are 28,000 of them. */
const CLOSING = { rounds: 3, warmUpMs: 500, windowMs: 500 }
/** After its start a server still works for a while: modules that load late, a first collection of garbage. */
const SETTLE_MS = 2000

export async function takeFigures(options: TakeFiguresOptions): Promise<Figures> {
  const { amount, folder, contendersFor, say } = options
  await using backend = await startBackend('keep-alive', folder)
  const contenders = contendersFor(backend.url)
  say('start-up')
  const startMs = await measureStarts(contenders, backend.url, options)
  const importCoreMs = await measureImports(amount.rounds)

  await using fleet = await startFleet(contenders, { backend, folder })
  const { ships } = fleet
  await sleep(SETTLE_MS)
  const idle = megabytesOf(ships)
  say('requests per second')
  const throughput = await throughputOf(ships, amount)
  const afterLoad = megabytesOf(ships)
  say('latency')
  const latencyMs = await inTurns(ships, amount.rounds, (ship) => measureLatency(ship, amount.requests))
  say('time to the first token')
  const firstTokenMs = await inTurns(ships, amount.rounds, (ship) => measureFirstToken(ship, amount.streams))
  const figures: Figures = {
    throughput,
    latencyMs,
    firstTokenMs,
    startMs,
    memory: memoryOf(ships, idle, afterLoad),
    importCoreMs,
  }
  if (!amount.withClosingBackend) return figures
  say('requests per second, with a backend that closes every connection')
  return { ...figures, closingThroughput: await withBackend('close', options) }
}

async function withBackend(
  mode: BackendMode,
  { folder, contendersFor }: TakeFiguresOptions,
): Promise<Rounds<Throughput>> {
  await using backend = await startBackend(mode, folder)
  await using fleet = await startFleet(contendersFor(backend.url), { backend, folder })
  // Awaited here: what is in use ends with this function.
  return await throughputOf(fleet.ships, CLOSING)
}

async function throughputOf(
  ships: readonly Ship[],
  { rounds, warmUpMs, windowMs }: Pick<Amount, 'rounds' | 'warmUpMs' | 'windowMs'>,
): Promise<Rounds<Throughput>> {
  const measure = (durationMs: number) => (ship: Ship) =>
    measureThroughput(ship, { connections: CONNECTIONS, durationMs })
  await inTurns(ships, 1, measure(warmUpMs))
  return inTurns(ships, rounds, measure(windowMs))
}

function measureStarts(
  contenders: readonly Contender[],
  backendUrl: string,
  { amount, folder }: TakeFiguresOptions,
): Promise<Rounds<number>> {
  const started = contenders.filter(({ program }) => program !== undefined)
  return inTurns(started, amount.rounds, async (contender) => {
    await using running = await startContender(contender, backendUrl, folder)
    return running?.startMs ?? Number.NaN
  })
}

async function measureImports(rounds: number): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [sourceFile('event/import-core.mjs')])
    times.push(Number(stdout))
  }
  return times
}

type Megabytes = Readonly<Record<string, number>>

/** Of the servers; the backend is no contender. */
const megabytesOf = (ships: readonly Ship[]): Megabytes =>
  Object.fromEntries(
    ships.filter(({ program }) => program).map(({ name, pid }) => [name, residentMegabytes(pid)]),
  )

const memoryOf = (ships: readonly Ship[], idle: Megabytes, afterLoad: Megabytes): Record<string, Memory> =>
  Object.fromEntries(
    ships.map(({ name }) => [
      name,
      { idle: idle[name] ?? Number.NaN, afterLoad: afterLoad[name] ?? Number.NaN },
    ]),
  )
