import type { Clock } from '../contract/clock.ts'
import type { Failure } from '../contract/failure.ts'
import type { Run } from '../event/run.ts'
import type { Station } from './backend-slots.ts'
import type { Line, Waiter } from './waiting-line.ts'
import { fullLineRetryMs, refusalMs, startsInMs } from './waiting-time.ts'

export type ForecastWaiter = Waiter & { readonly run: Run }

/** A slot in use. */
export interface TakenSlot {
  readonly station: Station
  readonly run: Run
  readonly startedAt: number
}

/** Says when a waiter is likely to start, by the speeds learned. Silent before a speed is learned. */
export interface Forecast {
  /** A deadline that cannot be met is refused at once, instead of costing GPU time in vain. */
  refusal(waiter: ForecastWaiter, allowed: readonly Station[]): Failure | undefined
  /** When the waiter is likely to start, in milliseconds from now. */
  startsInMs(waiter: ForecastWaiter, allowed: readonly Station[]): number | undefined
  /** When an ordinary event that came now would start, in milliseconds. */
  newcomerStartsInMs(allowed: readonly Station[]): number | undefined
  /** What to tell whom a full line turns away, in milliseconds. */
  fullLineRetryMs(allowed: readonly Station[]): number
}

export function createForecast(desk: {
  readonly line: Pick<Line<ForecastWaiter>, 'ahead' | 'waiting'>
  readonly taken: Iterable<TakenSlot>
  readonly clock: Clock
  named(names: readonly string[]): readonly Station[]
}): Forecast {
  const { clock } = desk
  const workMs = (allowed: readonly Station[], { work }: Run) =>
    shortest(allowed.map((station) => station.workMs(work)))

  /** What is left to do in each slot of these backends; undefined where nobody can tell. */
  function slotTimes(allowed: readonly Station[]): (number | undefined)[] {
    const times: (number | undefined)[] = []
    for (const { station, run, startedAt } of desk.taken) {
      if (!allowed.includes(station)) continue
      const inAll = station.workMs(run.work)
      times.push(inAll === undefined ? undefined : Math.max(0, startedAt + inAll - clock.now()))
    }
    for (const { slots } of allowed) {
      for (let free = slots.inFlight; free < slots.concurrency; free++) times.push(0)
    }
    return times
  }

  const hasFreeSlot = (allowed: readonly Station[]) =>
    allowed.some(({ inFlight, concurrency }) => inFlight < concurrency)

  const starts: Forecast['startsInMs'] = (waiter, allowed) => {
    if (hasFreeSlot(allowed)) return 0
    const ahead = desk.line
      .ahead(waiter, clock.now())
      .map(({ backends, run }) => workMs(desk.named(backends), run))
    return startsInMs({ slots: slotTimes(allowed), ahead })
  }

  return {
    startsInMs: starts,
    newcomerStartsInMs(allowed) {
      if (hasFreeSlot(allowed)) return 0
      const ahead = desk.line.waiting().map(({ backends, run }) => workMs(desk.named(backends), run))
      return startsInMs({ slots: slotTimes(allowed), ahead })
    },
    refusal(waiter, allowed) {
      const inAll = workMs(allowed, waiter.run)
      if (inAll === undefined) return undefined
      const retryAfterMs = refusalMs({
        startsMs: starts(waiter, allowed),
        workMs: inAll,
        timeLeftMs: waiter.run.deadlineAt - clock.now(),
      })
      return retryAfterMs === undefined ? undefined : { ...TOO_LATE, retryAfterMs }
    },
    fullLineRetryMs: (allowed) => fullLineRetryMs(slotTimes(allowed)),
  }
}

const TOO_LATE: Failure = {
  code: 'capacity_exceeded',
  details:
    'At the speed learned so far the answer would come after the deadline; raise `timeout_ms` or come back later.',
}

/** Undefined as soon as one of them is not known. */
const shortest = (times: readonly (number | undefined)[]): number | undefined =>
  times.reduce(
    (least, time) => (least === undefined || time === undefined ? undefined : Math.min(least, time)),
    Number.POSITIVE_INFINITY,
  )
