import { idealBurst, idealLoop, mean, percentile } from './ideal-line.ts'
import type { LineDesk, LineSize } from './line-desks.ts'

/** Times in milliseconds; `ideal` is that of servers which are never left without work. */
export interface LineFigures {
  readonly events: number
  /** Of one event at its backend, as it was. */
  readonly serviceMs: number
  readonly meanWaitMs: number
  readonly p95WaitMs: number
  readonly idealMeanMs: number
  readonly idealP95Ms: number
  /** The longest mean wait of a caller against the shortest. Absent for a burst, in which each caller has one event. */
  readonly fairness: number | undefined
  /** Of any backend. */
  readonly mostRunning: number
}

/** All callers at once, one event each. */
export const measureBurst = (desk: LineDesk, size: LineSize): Promise<LineFigures> => measure(desk, size, 1)

/** Each caller sends its next event as soon as the last is answered. */
export const measureLoop = (desk: LineDesk, size: LineSize, eventsEach: number): Promise<LineFigures> =>
  measure(desk, size, eventsEach)

async function measure(desk: LineDesk, size: LineSize, eventsEach: number): Promise<LineFigures> {
  const before = desk.watches.map(({ serviceMs }) => serviceMs.length)
  const times = await Promise.all(
    Array.from({ length: size.callers }, (_, caller) => askInTurn(desk, caller, eventsEach)),
  )
  const service = desk.watches.flatMap(({ serviceMs }, index) => serviceMs.slice(before[index]))
  const serviceMs = mean(service)
  // All that is not the backend's time: what the desk and the way to it cost counts as waiting, too.
  const waits = times.map((ofCaller) => ofCaller.map((whole) => whole - serviceMs))
  const all = waits.flat()
  const servers = { count: size.backends, serviceMs }
  const ideal =
    eventsEach === 1 ? idealBurst(size.callers, servers) : idealLoop(size.callers, eventsEach, servers)
  return {
    events: all.length,
    serviceMs,
    meanWaitMs: mean(all),
    p95WaitMs: percentile(all, 0.95),
    idealMeanMs: mean(ideal),
    idealP95Ms: percentile(ideal, 0.95),
    fairness: eventsEach === 1 ? undefined : unfairness(waits),
    mostRunning: Math.max(...desk.watches.map(({ mostRunning }) => mostRunning)),
  }
}

async function askInTurn(desk: LineDesk, caller: number, events: number): Promise<number[]> {
  const times: number[] = []
  for (let event = 0; event < events; event++) {
    const startedAt = performance.now()
    await desk.ask(caller)
    times.push(performance.now() - startedAt)
  }
  return times
}

/** Without the first round, where somebody has to be first. */
function unfairness(waits: readonly (readonly number[])[]): number {
  const means = waits.map((ofCaller) => mean(ofCaller.slice(1)))
  return Math.max(...means) / Math.min(...means)
}
