import type { BackendColumns, SeriesColumns, SeriesTotal } from '../bodies/series.ts'
import { addFigures, type BackendFigures, type Figures, noFigures } from './figures.ts'
import { percentile } from './histogram.ts'

/** Of each step; undefined: nothing is known of it. */
type Known = readonly (Figures | undefined)[]

const FIGURES: {
  readonly [Name in keyof Omit<SeriesColumns, 'errors' | 'backends'>]: (figures: Figures) => number | null
} = {
  started: ({ started }) => started,
  completed: ({ completed }) => completed,
  failed: ({ errors }) => [...errors.values()].reduce((sum, count) => sum + count, 0),
  cancelled: ({ cancelled }) => cancelled,
  line_max: ({ lineMax }) => lineMax,
  wait_p95: ({ waits }) => percentile(waits, 0.95),
  duration_p50: ({ durations }) => percentile(durations, 0.5),
  duration_p95: ({ durations }) => percentile(durations, 0.95),
  late_max: ({ lateMax }) => Math.round(lateMax),
}

const BACKEND_FIGURES: {
  readonly [Name in keyof BackendColumns]: (figures: BackendFigures | undefined, aliveMs: number) => number
} = {
  // Something was counted in the moment in which the server came.
  busy: (of, aliveMs) => Math.round((1_000 * (of?.busyMs ?? 0)) / Math.max(1, aliveMs)) / 1_000,
  tokens_in: (of) => of?.tokensIn ?? 0,
  tokens_out: (of) => of?.tokensOut ?? 0,
  abandoned_ms: (of) => Math.round(of?.abandonedMs ?? 0),
  stopping_ms: (of) => Math.round(of?.stoppingMs ?? 0),
  failed_ms: (of) => Math.round(of?.failedMs ?? 0),
}

/** The lists of an answer, and what they come to. `names`: of backends that are shown whatever happened. */
export function columnsOf(
  known: Known,
  names: readonly string[],
): SeriesColumns & { readonly total: SeriesTotal } {
  const sum = noFigures()
  for (const figures of known) if (figures) addFigures(sum, figures)
  const codes = [...sum.errors.keys()].sort()
  const backends = [...new Set([...names, ...sum.backends.keys()])]
  const list = <Value>(pick: (figures: Figures) => Value): (Value | null)[] =>
    known.map((figures) => (figures === undefined ? null : pick(figures)))
  const plain = mapValues(FIGURES, (pick) => list(pick))
  const ofCode = (code: string) => list(({ errors }) => errors.get(code) ?? 0)
  const ofBackend = (name: string) =>
    mapValues(BACKEND_FIGURES, (pick) => list((figures) => pick(figures.backends.get(name), figures.aliveMs)))
  const { started, completed, failed, cancelled, ...more } = plain
  return {
    ...{ started, completed, failed, cancelled },
    errors: fromNames(codes, ofCode),
    ...more,
    backends: fromNames(backends, ofBackend),
    total: totalOf(known.some((figures) => figures !== undefined) ? sum : undefined, { codes, backends }),
  }
}

function totalOf(
  sum: Figures | undefined,
  { codes, backends }: { readonly codes: readonly string[]; readonly backends: readonly string[] },
): SeriesTotal {
  return {
    ...mapValues(FIGURES, (pick) => (sum ? pick(sum) : null)),
    errors: fromNames(codes, (code) => sum?.errors.get(code) ?? 0),
    backends: fromNames(backends, (name) =>
      mapValues(BACKEND_FIGURES, (pick) => (sum ? pick(sum.backends.get(name), sum.aliveMs) : null)),
    ),
  }
}

const fromNames = <Value>(names: readonly string[], of: (name: string) => Value): Record<string, Value> =>
  Object.fromEntries(names.map((name) => [name, of(name)]))

function mapValues<Names extends string, Pick, Value>(
  picks: Readonly<Record<Names, Pick>>,
  of: (pick: Pick) => Value,
): Record<Names, Value> {
  // The names are those of the table: TypeScript forgets them on the way.
  return fromNames(Object.keys(picks), (name) => of(picks[name as Names])) as Record<Names, Value>
}
