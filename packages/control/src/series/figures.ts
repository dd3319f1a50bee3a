import { addHistogram, type Histogram } from './histogram.ts'

/** What was counted in a stretch of time. Two of them add up to one. */
export interface Figures {
  /** Milliseconds of it that the server was there. */
  aliveMs: number
  started: number
  completed: number
  cancelled: number
  /** How many failed, by error code. */
  readonly errors: Map<string, number>
  lineMax: number
  lateMax: number
  readonly waits: Histogram
  readonly durations: Histogram
  readonly backends: Map<string, BackendFigures>
}

/** Of one backend. */
export interface BackendFigures {
  /** Slots that were taken, times milliseconds. */
  busyMs: number
  tokensIn: number
  tokensOut: number
  abandonedMs: number
  stoppingMs: number
  failedMs: number
}

/** The same to be added to others: as it is counted, or as the store gives it back. */
export interface Counted extends Readonly<Record<(typeof SUMS)[number] | (typeof HIGHEST)[number], number>> {
  readonly errors: Iterable<readonly [code: string, count: number]>
  readonly waits: Iterable<readonly [range: number, count: number]>
  readonly durations: Iterable<readonly [range: number, count: number]>
  readonly backends: Iterable<readonly [name: string, figures: Partial<BackendFigures>]>
}

export const noFigures = (aliveMs = 0): Figures => ({
  ...{ aliveMs, started: 0, completed: 0, cancelled: 0, lineMax: 0, lateMax: 0 },
  ...{ errors: new Map(), waits: new Map(), durations: new Map(), backends: new Map() },
})

const noBackendFigures = (): BackendFigures => ({
  ...{ busyMs: 0, tokensIn: 0, tokensOut: 0, abandonedMs: 0, stoppingMs: 0, failedMs: 0 },
})

/** The figures of a backend, to add to. */
export function ofBackend({ backends }: Figures, name: string): BackendFigures {
  const known = backends.get(name)
  if (known) return known
  const made = noBackendFigures()
  backends.set(name, made)
  return made
}

const COUNTS = ['started', 'completed', 'cancelled'] as const
const SUMS = ['aliveMs', ...COUNTS] as const
const HIGHEST = ['lineMax', 'lateMax'] as const
const BACKEND_SUMS = [
  ...(['busyMs', 'tokensIn', 'tokensOut', 'abandonedMs', 'stoppingMs', 'failedMs'] as const),
] as const

/** Adds what was counted elsewhere, or at another time. */
export function addFigures(to: Figures, other: Counted): void {
  for (const name of SUMS) to[name] += other[name]
  for (const name of HIGHEST) to[name] = Math.max(to[name], other[name])
  for (const [code, count] of other.errors) to.errors.set(code, (to.errors.get(code) ?? 0) + count)
  addHistogram(to.waits, other.waits)
  addHistogram(to.durations, other.durations)
  for (const [name, figures] of other.backends) {
    const own = ofBackend(to, name)
    for (const sum of BACKEND_SUMS) own[sum] += figures[sum] ?? 0
  }
}

/** As the store keeps them: JSON, without what is 0, for most minutes of most servers are quiet. */
export function writeFigures(figures: Figures): string {
  return JSON.stringify({
    aliveMs: Math.round(figures.aliveMs),
    ...withoutZeros(figures, [...COUNTS, ...HIGHEST]),
    ...lists({ errors: figures.errors, waits: figures.waits, durations: figures.durations }),
    ...(figures.backends.size > 0 && {
      backends: [...figures.backends].map(([name, one]) => [name, withoutZeros(one, BACKEND_SUMS)]),
    }),
  })
}

function withoutZeros<Name extends string>(
  values: Readonly<Record<Name, number>>,
  names: readonly Name[],
): Partial<Record<Name, number>> {
  const kept: Partial<Record<Name, number>> = {}
  for (const name of names) if (values[name] !== 0) kept[name] = Math.round(values[name])
  return kept
}

const lists = (maps: Readonly<Record<string, ReadonlyMap<unknown, number>>>) =>
  Object.fromEntries(
    Object.entries(maps).flatMap(([name, map]) => (map.size > 0 ? [[name, [...map]] as const] : [])),
  )

/** Undefined: that is no text of ours, so nothing is known of the minute. */
export function readFigures(text: string): Counted | undefined {
  let stored: Stored
  try {
    stored = JSON.parse(text) as Stored
  } catch {
    // Somebody wrote into the store by hand, or its disk has lost something.
    return undefined
  }
  return typeof stored?.aliveMs === 'number' ? { ...NOTHING, ...stored } : undefined
}

const NOTHING: Counted = noFigures()

/** What `writeFigures` writes. */
type Stored = Partial<
  Record<(typeof SUMS)[number] | (typeof HIGHEST)[number], number> & {
    errors: [string, number][]
    waits: [number, number][]
    durations: [number, number][]
    backends: [string, Partial<BackendFigures>][]
  }
>
