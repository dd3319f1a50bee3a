import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inTurns, type Rounds } from '../numbers/in-turns.ts'
import { markdownTable } from '../numbers/markdown-table.ts'
import { median } from '../numbers/statistics.ts'
import type { Contender, Program, ProgramPlace } from '../servers/contender.ts'
import {
  aiTicket,
  aiTicketLogging,
  BARE_PROXY,
  bareProxy,
  sourceFile,
  withEnvironment,
} from '../servers/contenders.ts'
import { type Ship, startBackend, startFleet } from '../servers/fleet.ts'
import { compare, speedRatio } from './figures.ts'
import { measureThroughput, type Throughput } from './measure-throughput.ts'

export interface BenchPartsOptions {
  readonly quick: boolean
  readonly folder: string
  say(what: string): void
}

const CONNECTIONS = 16
/** Two starts of the same program differ by a tenth: what V8 makes of the code is not always the same. */
const STARTS = 4

/**
 * What each part of the way of an event costs: the bare proxy, and then one part more each time, up to the server as it
 * is published. By processor time, which other work on the machine disturbs least.
 */
export async function benchParts({ quick, folder, say }: BenchPartsOptions): Promise<Rounds<Throughput>> {
  await using collector = await startCollector()
  await using backend = await startBackend('keep-alive', folder)
  const scores: Record<string, Throughput[]> = {}
  for (let start = 1; start <= (quick ? 1 : STARTS); start++) {
    say(`start ${start}`)
    await using fleet = await startFleet(partsOf(collector.url), { backend, folder })
    const measure = (durationMs: number) => (part: Ship) =>
      measureThroughput(part, { connections: CONNECTIONS, durationMs })
    // V8 needs some 20,000 events before their cost no longer falls.
    await inTurns(fleet.ships, 1, measure(quick ? 1_500 : 5_000))
    const rounds = await inTurns(fleet.ships, 3, measure(quick ? 700 : 1_500))
    for (const [name, more] of Object.entries(rounds)) scores[name] = [...(scores[name] ?? []), ...more]
  }
  return scores
}

/** Each against the one that it differs from by a single part. */
const BEFORE: readonly (readonly [name: string, before: string])[] = [
  ['… through ky', BARE_PROXY],
  ['the desk on Fastify', '… through ky'],
  ['the server', 'the desk on Fastify'],
  ['… with metrics', 'the server'],
  ['ai-ticket-server without history', '… with metrics'],
  ['… without metrics', 'ai-ticket-server without history'],
  ['… with metrics and traces', '… without metrics'],
  ['… with history: metadata', 'ai-ticket-server without history'],
  ['… with history: full', 'ai-ticket-server without history'],
  ['… logging at info', '… with history: full'],
  ['… with metrics and all traces', '… without metrics'],
]

function partsOf(collectorUrl: string): Contender[] {
  const part = (name: string, argument: string): Contender => ({
    ...aiTicket,
    name,
    healthPath: '/livez',
    program: ({ port, backendUrl }) => ({
      args: [sourceFile('event/part-server.mjs'), String(port), backendUrl, argument],
    }),
  })
  const bin = (name: string, environment: Record<string, string>, base = aiTicket): Contender => ({
    ...base,
    name,
    program: (place) => withEnvironment(programOf(base, place), environment),
  })
  const off = { AI_TICKET_HISTORY: 'off' }
  const traces = { ...off, OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl }
  return [
    bareProxy,
    part('… through ky', 'ky'),
    part('the desk on Fastify', 'desk'),
    part('the server', 'server'),
    part('… with metrics', 'metrics'),
    bin('ai-ticket-server without history', off),
    bin('… with history: metadata', { AI_TICKET_HISTORY: 'metadata' }),
    bin('… with history: full', {}),
    bin('… logging at info', {}, aiTicketLogging),
    bin('… without metrics', { ...off, AI_TICKET_METRICS: 'false' }),
    bin('… with metrics and traces', traces),
    bin('… with metrics and all traces', { ...traces, OTEL_TRACES_SAMPLER: 'parentbased_always_on' }),
  ]
}

function programOf({ program }: Contender, place: ProgramPlace): Program {
  if (!program) throw new TypeError('It has no program of its own.')
  return program(place)
}

/** Takes spans and forgets them. */
async function startCollector(): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, reply) => {
    request.resume().once('end', () => reply.setHeader('content-type', 'application/json').end('{}'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function partsTable(rounds: Rounds<Throughput>): string {
  const micros = (name: string) => median((rounds[name] ?? []).map(({ processorMicros }) => processorMicros))
  const rows = [
    [BARE_PROXY, micros(BARE_PROXY).toFixed(0), '', '', rateOf(rounds, BARE_PROXY)],
    ...BEFORE.map(([name, before]) => [
      name,
      micros(name).toFixed(0),
      `${signed(micros(name) - micros(before))} to "${before}"`,
      `${rateRatio(rounds, name, before)} ×`,
      rateOf(rounds, name),
    ]),
  ]
  return markdownTable(['', 'CPU µs an event', 'more', 'requests/s against that', 'requests/s'], rows)
}

const signed = (value: number): string => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(0)

const rateOf = (rounds: Rounds<Throughput>, name: string): string =>
  median((rounds[name] ?? []).map(({ requestsPerSecond }) => requestsPerSecond)).toFixed(0)

const rateRatio = (rounds: Rounds<Throughput>, of: string, other: string): string =>
  compare(rounds, { of, with: other }, speedRatio)?.median.toFixed(2) ?? '–'
