import { markdownTable } from '../numbers/markdown-table.ts'
import type { Boxes } from './field/boxes.ts'
import type { Aftermath } from './look-after.ts'
import { sumOfKinds, type Tally } from './tally.ts'

export interface LoadOptions {
  readonly seconds: number
  readonly rate: number
  readonly connections: number
  readonly seed: number
  readonly boxes: number
}

/** A whole run, as JSON. */
export interface LoadReport extends LoadOptions {
  readonly sent: number
  readonly answered: number
  readonly hungUp: number
  readonly lost: number
  readonly kinds: Tally['kinds']
  readonly codes: Readonly<Record<string, number>>
  /** Accepted with 202 and followed to their end. */
  readonly tickets: { readonly accepted: number; readonly stored: Aftermath['tickets'] }
  /** Of whole answers that found a free slot: all of their time but that of the backend, in milliseconds. */
  readonly addedMs: {
    readonly count: number
    readonly p50: number
    readonly p95: number
    readonly p99: number
  }
  /** Generated after the caller of the backend had gone. */
  readonly wastedTokens: number
  /** As the server counts it: of calls whose answer nobody got, for whatever reason. */
  readonly wastedSeconds: number
  readonly backends: readonly { name: string; slots: number; mostAtOnce: number; calls: number }[]
  /** What must not be; empty: all is well. */
  readonly problems: readonly string[]
}

export interface LoadResults {
  readonly options: LoadOptions
  readonly tally: Tally
  readonly boxes: Boxes
  readonly aftermath: Aftermath
}

export function makeLoadReport({ options, tally, boxes, aftermath }: LoadResults): LoadReport {
  const milliseconds = (percent: number) =>
    tally.added.count === 0 ? Number.NaN : tally.added.percentile(percent) / 1000
  const report = {
    ...options,
    sent: sumOfKinds(tally, 'sent'),
    answered: sumOfKinds(tally, 'answered'),
    hungUp: sumOfKinds(tally, 'hungUp'),
    lost: sumOfKinds(tally, 'lost'),
    kinds: tally.kinds,
    codes: Object.fromEntries([...tally.codes].sort(([, one], [, other]) => other - one)),
    tickets: { accepted: tally.tickets, stored: aftermath.tickets },
    addedMs: {
      count: tally.added.count,
      p50: milliseconds(50),
      p95: milliseconds(95),
      p99: milliseconds(99),
    },
    wastedTokens: boxes.boxes.reduce((total, { simulator }) => total + simulator.wastedTokens, 0),
    wastedSeconds: aftermath.wastedSeconds,
    backends: boxes.boxes.map(({ name, slots, mostAtOnce, calls }) => ({ name, slots, mostAtOnce, calls })),
  }
  return { ...report, problems: problemsOf(report, tally, aftermath) }
}

type Counted = Omit<LoadReport, 'problems'>

function problemsOf(
  { sent, answered, hungUp, lost, backends, tickets }: Counted,
  tally: Tally,
  { leftInHand }: Aftermath,
): string[] {
  const { queued = 0, in_progress = 0, completed = 0, failed = 0, cancelled = 0 } = tickets.stored
  const ended = completed + failed + cancelled
  const unknown = sent - answered - hungUp - lost
  return [
    ...(lost > 0 ? [`${lost} lost`, ...tally.lost] : []),
    ...(unknown > 0 ? [`${unknown} without an end`] : []),
    ...(tally.wrongCount > 0 ? [`${tally.wrongCount} answered wrongly`, ...tally.wrong] : []),
    ...backends
      .filter(({ slots, mostAtOnce }) => mostAtOnce > slots)
      .map(({ name, slots, mostAtOnce }) => `${name} had ${mostAtOnce} calls at once and has ${slots} slots`),
    ...(leftInHand > 0 ? [`${leftInHand} still in hand after the end`] : []),
    ...(queued + in_progress > 0 ? [`${queued + in_progress} tickets without an outcome`] : []),
    ...(ended !== tickets.accepted ? [`${ended} tickets on disk, ${tickets.accepted} accepted`] : []),
  ]
}

/** The same for people, as Markdown. */
export function writeLoadReport(report: LoadReport): string {
  const { seed, seconds, rate, connections, addedMs, kinds } = report
  const millis = (value: number) => (Number.isNaN(value) ? '–' : `${value.toFixed(2)} ms`)
  const facts = [
    ['sent', String(report.sent)],
    ['answered', String(report.answered)],
    ['hung up by us', String(report.hungUp)],
    ['lost', String(report.lost)],
    ['tickets accepted', String(report.tickets.accepted)],
    ['added latency p50, p95, p99', [addedMs.p50, addedMs.p95, addedMs.p99].map(millis).join(', ')],
    ['… of so many that found a free slot', String(addedMs.count)],
    ['tokens generated for nobody', String(report.wastedTokens)],
    ['calls for nobody, by /metrics', `${report.wastedSeconds.toFixed(1)} s`],
  ]
  const parts = [
    `# AI Ticket under load`,
    `${seconds} s, ${rate} requests/s over at most ${connections} connections, seed ${seed}.`,
    markdownTable(['', ''], facts),
    markdownTable(
      ['kind', 'sent', 'answered', 'hung up', 'lost'],
      Object.entries(kinds).map(([kind, { sent, answered, hungUp, lost }]) => [
        kind,
        ...[sent, answered, hungUp, lost].map(String),
      ]),
    ),
    markdownTable(
      ['code', 'answers'],
      Object.entries(report.codes).map(([code, count]) => [code, String(count)]),
    ),
    markdownTable(
      ['backend', 'slots', 'most calls at once', 'calls'],
      report.backends.map(({ name, slots, mostAtOnce, calls }) => [
        name,
        ...[slots, mostAtOnce, calls].map(String),
      ]),
    ),
    report.problems.length === 0
      ? 'Nothing was lost.'
      : `FAILED:\n${report.problems.map((line) => `- ${line}`).join('\n')}`,
  ]
  return `${parts.join('\n\n')}\n`
}
