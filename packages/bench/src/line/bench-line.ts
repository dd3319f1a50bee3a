import { markdownTable } from '../numbers/markdown-table.ts'
import { type LineDesk, openDispatcherDesk, openServerDesk } from './line-desks.ts'
import { type LineFigures, measureBurst, measureLoop } from './measure-line.ts'

export interface BenchLineOptions {
  readonly quick: boolean
  readonly folder: string
  say(what: string): void
}

export interface LineRun extends LineFigures {
  readonly place: Place
  readonly name: string
}

type Place = 'in process' | 'over HTTP'

const SIZE = { backends: 8, callers: 256, serviceMs: 50 }
const QUICK_SIZE = { ...SIZE, serviceMs: 20 }

/** Eight backends of one slot each and 256 callers: the time in the line against that of an ideal one. */
export async function benchLine({ quick, folder, say }: BenchLineOptions): Promise<LineRun[]> {
  const size = quick ? QUICK_SIZE : SIZE
  const eventsEach = quick ? 3 : 8
  const runs: LineRun[] = []
  const take = async (place: Place, open: () => LineDesk | Promise<LineDesk>) => {
    say(`${size.callers} callers in line, ${place}`)
    await using desk = await open()
    // Slow only once: modules that load late, connections.
    await measureBurst(desk, size)
    runs.push({ place, name: `${place}, all at once`, ...(await measureBurst(desk, size)) })
    runs.push({ place, name: `${place}, one after another`, ...(await measureLoop(desk, size, eventsEach)) })
  }
  await take('in process', () => openDispatcherDesk(size))
  await take('over HTTP', () => openServerDesk(size, folder))
  return runs
}

/** Waiting at most a tenth longer than in an ideal line, once callers come one after another. */
const MOST = 1.1

/**
 * Never two at one backend, and the line itself as good as an ideal one. Over HTTP the machine's other work weighs too
 * much for a verdict: that is only shown.
 */
export const isLineKept = (runs: readonly LineRun[]): boolean =>
  runs.every(({ mostRunning }) => mostRunning === 1) &&
  runs.every(({ place, fairness, meanWaitMs, idealMeanMs }) => {
    return place === 'over HTTP' || fairness === undefined || meanWaitMs <= MOST * idealMeanMs
  })

export function lineTable(runs: readonly LineRun[]): string {
  const head = [
    '',
    'events',
    'at the backend, ms',
    'mean in line, ms',
    'more than ideal, ms',
    'against the ideal',
    'p95, ms',
    'against the ideal',
    'slowest caller against the fastest',
    'most at one backend',
  ]
  const rows = runs.map((run) => [
    run.name,
    String(run.events),
    run.serviceMs.toFixed(1),
    run.meanWaitMs.toFixed(0),
    (run.meanWaitMs - run.idealMeanMs).toFixed(0),
    `${(run.meanWaitMs / run.idealMeanMs).toFixed(3)} ×`,
    run.p95WaitMs.toFixed(0),
    `${(run.p95WaitMs / run.idealP95Ms).toFixed(3)} ×`,
    run.fairness === undefined ? '–' : `${run.fairness.toFixed(3)} ×`,
    String(run.mostRunning),
  ])
  return markdownTable(head, rows)
}
