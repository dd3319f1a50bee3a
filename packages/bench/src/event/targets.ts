import { median } from '../numbers/statistics.ts'
import { AI_TICKET, BARE_PROXY, DIRECT, PORTKEY } from '../servers/contenders.ts'
import { compare, difference, type Figures, speedRatio } from './figures.ts'

/** What the server has promised to reach, and what this run has measured. */
export interface Target {
  readonly what: string
  readonly wanted: { readonly atLeast: number } | { readonly atMost: number }
  /** Undefined: not measured. */
  readonly measured: number | undefined
  readonly unit: string
}

export function targetsOf(figures: Figures): Target[] {
  const {
    throughput,
    closingThroughput = {},
    latencyMs,
    firstTokenMs,
    startMs,
    memory,
    importCoreMs,
  } = figures
  const speed = (rounds: typeof throughput, other: string) =>
    compare(rounds, { of: AI_TICKET, with: other }, speedRatio)?.median
  const added = (rounds: typeof latencyMs, of: string) =>
    compare(rounds, { of, with: DIRECT }, difference)?.median
  const idle = (name: string) => memory[name]?.idle ?? Number.NaN
  const atLeast = (what: string, measured: number | undefined, limit: number): Target => ({
    ...{ what, measured, wanted: { atLeast: limit }, unit: '×' },
  })
  const atMost = (what: string, measured: number | undefined, limit: number, unit: string): Target => ({
    ...{ what, measured, wanted: { atMost: limit }, unit },
  })
  const start = median(startMs[AI_TICKET] ?? [])
  const firstToken = (added(firstTokenMs, AI_TICKET) ?? Number.NaN) / (added(firstTokenMs, BARE_PROXY) ?? 1)
  return [
    atLeast(`requests/s against the ${BARE_PROXY}`, speed(throughput, BARE_PROXY), 0.6),
    atLeast('the same, where the backend closes each connection', speed(closingThroughput, BARE_PROXY), 0.8),
    atLeast(`requests/s against ${PORTKEY}`, speed(throughput, PORTKEY), 4),
    atMost('added latency', added(latencyMs, AI_TICKET), 0.3, 'ms'),
    atMost(`added time to the first token against the ${BARE_PROXY}'s`, firstToken, 1.5, '×'),
    atMost('start to the first 200 on /health', start, 400, 'ms'),
    atMost(`resident memory, idle, beyond the ${BARE_PROXY}'s`, idle(AI_TICKET) - idle(BARE_PROXY), 5, 'MB'),
    atMost('import of @ai-ticket/core', median(importCoreMs), 60, 'ms'),
  ]
}

export function isReached({ wanted, measured }: Target): boolean | undefined {
  if (measured === undefined || Number.isNaN(measured)) return undefined
  return 'atLeast' in wanted ? measured >= wanted.atLeast : measured <= wanted.atMost
}
