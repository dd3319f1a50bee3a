import type { Rounds } from '../numbers/in-turns.ts'
import { markdownTable } from '../numbers/markdown-table.ts'
import { median, type Spread } from '../numbers/statistics.ts'
import { AI_TICKET, BARE_PROXY, DIRECT } from '../servers/contenders.ts'
import { compare, costRatio, difference, type Figures, ratio, speedRatio } from './figures.ts'
import type { Throughput } from './measure-throughput.ts'
import { isReached, type Target, targetsOf } from './targets.ts'

/** Everything as Markdown. Ratios are medians over the rounds, in brackets the least and the most. */
export function writeReport(figures: Figures): string {
  const parts = [
    '## Requests per second, 16 connections',
    throughputTable(figures.throughput),
    ...(figures.closingThroughput
      ? [
          '### The same, with a backend that closes every connection',
          throughputTable(figures.closingThroughput),
        ]
      : []),
    '## One connection: added time in ms, median',
    latencyTable(figures),
    '## Start and memory',
    processTable(figures),
    `Importing \`@ai-ticket/core\`: ${number(median(figures.importCoreMs))} ms.`,
    '## Targets',
    targetTable(targetsOf(figures)),
  ]
  return `${parts.join('\n\n')}\n`
}

function throughputTable(rounds: Rounds<Throughput>): string {
  const head = [
    '',
    'requests/s',
    'CPU µs each',
    'against the bare proxy',
    '… by CPU',
    `${AI_TICKET} against it`,
  ]
  const rows = Object.entries(rounds).map(([name, scores]) => [
    name,
    Math.round(median(scores.map(({ requestsPerSecond }) => requestsPerSecond))).toString(),
    name === DIRECT ? '–' : number(median(scores.map(({ processorMicros }) => processorMicros))),
    times(compare(rounds, { of: name, with: BARE_PROXY }, speedRatio)),
    name === DIRECT ? '–' : times(compare(rounds, { of: name, with: BARE_PROXY }, costRatio)),
    times(compare(rounds, { of: AI_TICKET, with: name }, speedRatio)),
  ])
  return markdownTable(head, rows)
}

function latencyTable({ latencyMs, firstTokenMs }: Figures): string {
  const columns = [latencyMs, firstTokenMs]
  const head = [
    '',
    'plain',
    'added',
    'against the bare proxy',
    'first token',
    'added',
    'against the bare proxy',
  ]
  const rows = Object.keys(latencyMs).map((name) => [
    name,
    ...columns.flatMap((rounds) => {
      const added = (other: string) => compare(rounds, { of: other, with: DIRECT }, difference)?.median ?? 0
      if (name === DIRECT) return [number(median(rounds[name] ?? [])), '–', '–']
      return [
        number(median(rounds[name] ?? [])),
        withRange(compare(rounds, { of: name, with: DIRECT }, difference)),
        `${number(added(name) / added(BARE_PROXY))} ×`,
      ]
    }),
  ])
  return markdownTable(head, rows)
}

function processTable({ startMs, memory }: Figures): string {
  const head = [
    '',
    'start to first 200, ms',
    'against the bare proxy',
    'MB idle',
    'MB after load',
    'idle, against it',
  ]
  const rows = Object.keys(startMs).map((name) => {
    const { idle = Number.NaN, afterLoad = Number.NaN } = memory[name] ?? {}
    return [
      name,
      Math.round(median(startMs[name] ?? [])).toString(),
      times(compare(startMs, { of: name, with: BARE_PROXY }, ratio)),
      number(idle),
      number(afterLoad),
      `${number(idle / (memory[BARE_PROXY]?.idle ?? Number.NaN))} ×`,
    ]
  })
  return markdownTable(head, rows)
}

function targetTable(targets: readonly Target[]): string {
  const rows = targets.map((target) => {
    const { what, wanted, measured, unit } = target
    const limit = 'atLeast' in wanted ? `≥ ${wanted.atLeast} ${unit}` : `≤ ${wanted.atMost} ${unit}`
    const reached = isReached(target)
    const verdict = reached === undefined ? 'not measured' : reached ? 'reached' : 'MISSED'
    return [what, limit, measured === undefined ? '–' : `${number(measured)} ${unit}`, verdict]
  })
  return markdownTable(['', 'target', 'measured', ''], rows)
}

const number = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(value < 10 ? 2 : 1))

const times = (spread: Spread | undefined): string => (spread ? `${withRange(spread)} ×` : '–')

const withRange = (spread: Spread | undefined): string =>
  spread && !Number.isNaN(spread.median)
    ? `${number(spread.median)} (${number(spread.least)}–${number(spread.most)})`
    : '–'
