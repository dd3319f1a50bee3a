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
  const { throughput, latencyMs, firstTokenMs, startMs, memory, importCoreMs } = figures
  const speed = (other: string) => compare(throughput, { of: AI_TICKET, with: other }, speedRatio)?.median
  const added = (rounds: typeof latencyMs) =>
    compare(rounds, { of: AI_TICKET, with: DIRECT }, difference)?.median
  return [
    {
      what: 'requests/s against the bare proxy',
      wanted: { atLeast: 0.6 },
      measured: speed(BARE_PROXY),
      unit: '×',
    },
    { what: `requests/s against ${PORTKEY}`, wanted: { atLeast: 4 }, measured: speed(PORTKEY), unit: '×' },
    { what: 'added latency', wanted: { atMost: 1 }, measured: added(latencyMs), unit: 'ms' },
    {
      what: 'added time to the first token',
      wanted: { atMost: 1 },
      measured: added(firstTokenMs),
      unit: 'ms',
    },
    {
      what: 'start to the first 200 on /health',
      wanted: { atMost: 400 },
      measured: median(startMs[AI_TICKET] ?? []),
      unit: 'ms',
    },
    { what: 'resident memory, idle', wanted: { atMost: 100 }, measured: memory[AI_TICKET]?.idle, unit: 'MB' },
    { what: 'import of @ai-ticket/core', wanted: { atMost: 60 }, measured: median(importCoreMs), unit: 'ms' },
  ]
}

export function isReached({ wanted, measured }: Target): boolean | undefined {
  if (measured === undefined || Number.isNaN(measured)) return undefined
  return 'atLeast' in wanted ? measured >= wanted.atLeast : measured <= wanted.atMost
}
