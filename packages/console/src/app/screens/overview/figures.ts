import type { SeriesBody } from '../../api/desk.ts'
import { duration } from '../../parts/format.ts'

/** A line of a chart. */
export interface ChartLine {
  readonly name: string
  readonly values: readonly (number | null)[]
  /** A colour of `tokens.css`. Lines differ by their dashes, too. */
  readonly token: string
  readonly dash: readonly number[]
}

/** Some lines over the same time. */
export interface ChartFigures {
  readonly title: string
  readonly lines: readonly ChartLine[]
  /** A value in words. */
  readonly words: (value: number) => string
}

const SOLID: readonly number[] = []
const DASHED: readonly number[] = [6, 3]
const DOTTED: readonly number[] = [2, 3]
const DASHES = [SOLID, DASHED, DOTTED, [10, 3, 2, 3]]
const TOKENS = ['accent', 'wait', 'ok', 'warn', 'idle']

/** What the figures of a range show, each with its lines. */
export function chartsOf(series: SeriesBody): readonly ChartFigures[] {
  const { step_s, completed, failed, cancelled, wait_p95, duration_p50, duration_p95, line_max } = series
  const perMinute = (counts: readonly (number | null)[]) =>
    counts.map((count) => (count === null ? null : (60 * count) / step_s))
  return [
    {
      title: 'Events a minute',
      words: (value) => rounded(value),
      lines: [
        { name: 'completed', values: perMinute(completed), token: 'ok', dash: SOLID },
        { name: 'failed', values: perMinute(failed), token: 'bad', dash: DASHED },
        { name: 'cancelled', values: perMinute(cancelled), token: 'idle', dash: DOTTED },
      ],
    },
    {
      title: 'How long it takes',
      words: duration,
      lines: [
        { name: 'wait p95', values: wait_p95, token: 'wait', dash: DOTTED },
        { name: 'answer median', values: duration_p50, token: 'ok', dash: DASHED },
        { name: 'answer p95', values: duration_p95, token: 'accent', dash: SOLID },
      ],
    },
    {
      title: 'Longest line',
      words: (value) => rounded(value),
      lines: [{ name: 'waiting', values: line_max, token: 'wait', dash: SOLID }],
    },
    {
      title: 'Slots taken',
      words: (value) => rounded(value),
      lines: Object.entries(series.backends).map(([name, { busy }], index) => ({
        name,
        values: busy,
        token: TOKENS[index % TOKENS.length] ?? 'accent',
        dash: DASHES[index % DASHES.length] ?? SOLID,
      })),
    },
  ]
}

/** Two digits that matter: `38`, `3.8`, `0.38`. */
const rounded = (value: number): string =>
  String(value >= 10 ? Math.round(value) : Number(value.toPrecision(2)))

/** A figure over the whole range, in words. */
export interface Headline {
  readonly name: string
  readonly words: string
}

/** What the range comes to. What is not known is left out. */
export function headlinesOf(series: SeriesBody): readonly Headline[] {
  const { started, completed, failed, cancelled, wait_p95, duration_p95 } = series.total
  const ended = (completed ?? 0) + (failed ?? 0) + (cancelled ?? 0)
  const minutes = aliveMsOf(series) / 60_000
  return [
    ...(started !== null && minutes > 0
      ? [{ name: 'events', words: `${rounded(started / minutes)}/min` }]
      : []),
    ...(ended > 0 ? [{ name: 'failed', words: percent((failed ?? 0) / ended) }] : []),
    ...(wait_p95 === null ? [] : [{ name: 'wait p95', words: duration(wait_p95) }]),
    ...(duration_p95 === null ? [] : [{ name: 'answer p95', words: duration(duration_p95) }]),
  ]
}

/** How the time of a backend was spent, as shares of all its slots' time. */
export interface GpuTime {
  readonly backend: string
  /** Of what somebody got, then of what nobody did. */
  readonly parts: readonly { readonly kind: GpuUse; readonly share: number }[]
  /** Of these parts the three that nobody got. */
  readonly wasted: number
}

type GpuUse = 'busy' | 'abandoned' | 'stopping' | 'failed'

/** `slots`: of each backend; one that is not known any more has one. */
export function gpuTimeOf(series: SeriesBody, slots: ReadonlyMap<string, number>): readonly GpuTime[] {
  const aliveMs = aliveMsOf(series)
  if (aliveMs === 0) return []
  return Object.entries(series.total.backends).map(([backend, total]) => {
    const count = slots.get(backend) ?? 1
    const ofTime = (ms: number | null) => Math.min(1, (ms ?? 0) / (aliveMs * count))
    const lost = [
      { kind: 'abandoned' as const, share: ofTime(total.abandoned_ms) },
      { kind: 'stopping' as const, share: ofTime(total.stopping_ms) },
      { kind: 'failed' as const, share: ofTime(total.failed_ms) },
    ]
    const wasted = Math.min(
      1,
      lost.reduce((sum, { share }) => sum + share, 0),
    )
    // Slots are seen once a second and calls are timed: together they may be a little more than there is.
    const taken = Math.min(1, Math.max((total.busy ?? 0) / count, wasted))
    return { backend, parts: [{ kind: 'busy', share: taken - wasted }, ...lost], wasted }
  })
}

/** The time that the figures are of, gaps left out. */
const aliveMsOf = ({ started, step_s }: SeriesBody): number =>
  started.filter((count) => count !== null).length * step_s * 1_000

/** A share from 0 to 1: `6 %`, below ten `0.4 %`. Some is never none, and nearly all never all. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return '< 0.1 %'
  if (share >= 0.995 && share < 1) return '> 99 %'
  return `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`
}
