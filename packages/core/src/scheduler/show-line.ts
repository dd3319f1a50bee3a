import type { Clock } from '../contract/clock.ts'
import type { EventInHand, LineView, RunningEvent, WaitingEvent } from '../contract/dispatcher.ts'
import type { Failure } from '../contract/failure.ts'
import type { Tuning } from '../contract/options.ts'
import type { Cancellation, Stand } from '../event/run.ts'
import type { BackendSlots } from './backend-slots.ts'
import { createLoads, type ForecastWaiter, plus, type TakenSlot } from './forecast.ts'
import { likelyTokens } from './speed-estimate.ts'
import type { WaitingLine } from './waiting-line.ts'

/** The fields of an event that are shown. */
interface ShownEvent {
  readonly id: string
  readonly caller: string
  readonly priority: number
  readonly startedAt: number
  readonly deadlineAt: number
  readonly cancellation: Cancellation
  readonly stand: Stand
}

/** A slot with the event in it. */
export interface Seat extends TakenSlot {
  readonly event: ShownEvent
  /** Those who wait until it is free. */
  readonly whenFree: (() => void)[]
}

/** One that waits, with its event. */
export interface WaitingSeat extends ForecastWaiter {
  readonly event: ShownEvent
}

interface LineParts {
  readonly taken: Iterable<Seat>
  readonly line: Pick<WaitingLine<WaitingSeat>, 'inOrder' | 'size' | 'waiting'>
  /** As they are now. */
  readonly desk: () => {
    readonly backends: readonly BackendSlots[]
    readonly tuning: Pick<Tuning, 'lineCapacity' | 'overtakeMs'>
  }
  readonly clock: Clock
  readonly random: () => number
}

/** The events that run or wait, for people: who runs where, who waits, and when each is likely to start. */
export function createLineWindow({ taken, line, desk, clock, random }: LineParts) {
  const handOf = createHands(random)
  const iso = (at: number) => new Date(clock.wallTime() - clock.now() + at).toISOString()
  const common = ({ id, caller, priority, startedAt, deadlineAt, stand }: ShownEvent) => ({
    hand: handOf(stand),
    event_id: id,
    ...saidOf(stand),
    ...(caller === '' ? {} : { caller }),
    priority,
    entered_at: iso(startedAt),
    deadline_at: iso(deadlineAt),
  })

  function running(seat: Seat): RunningEvent {
    const { slots, event, startedAt } = seat
    const { endpoint, chars } = event.stand
    const endsInMs = leftMs(seat, clock.now())
    return {
      ...common(event),
      backend: slots.name,
      endpoint,
      seated_at: iso(startedAt),
      phase: phaseOf(seat, clock.now()),
      chars,
      ...speedOf(event.stand, clock.now()),
      ...(endsInMs === undefined ? {} : { ends_in_ms: Math.round(endsInMs) }),
    }
  }

  function waiting(limit: number): WaitingEvent[] {
    const order = line.inOrder(clock.now())
    const { backends, tuning } = desk()
    const starts = forecast(order, lanesOf(backends, taken, clock.now()), createLoads(tuning.overtakeMs > 0))
    return order.slice(0, limit).map((waiter, index): WaitingEvent => {
      const { startsInMs, endsInMs } = starts[index] ?? {}
      const { event, backends: names } = waiter
      return {
        ...common(event),
        backends: [...names],
        position: index + 1,
        starts_in_ms: startsInMs === undefined ? null : Math.round(startsInMs),
        late: endsInMs !== undefined && clock.now() + endsInMs > event.deadlineAt,
      }
    })
  }

  return {
    look: (limit: number): LineView => ({
      now: iso(clock.now()),
      capacity: desk().tuning.lineCapacity,
      running: Array.from(taken, running),
      waiting: waiting(limit),
      more: Math.max(0, line.size - limit),
    }),
    find(hand: string): EventInHand | undefined {
      const found = [...taken, ...line.waiting()].find(({ event }) => event.stand.hand === hand)
      return found && inHand(found.event, taken)
    },
  }
}

/** What the caller said about an event, besides the event itself. */
const saidOf = ({ reference, door }: Stand) => ({
  ...(reference !== undefined && { reference }),
  ...(door && { door }),
})

function speedOf({ chars, firstAt }: Stand, now: number): Pick<RunningEvent, 'tokens_per_second'> {
  if (chars === 0 || firstAt === undefined || now <= firstAt) return {}
  return { tokens_per_second: perSecond(likelyTokens(chars), now - firstAt) }
}

function inHand(event: ShownEvent, taken: Iterable<Seat>): EventInHand {
  const { caller, cancellation, stand } = event
  const { reference } = stand
  return {
    caller,
    ...(reference === undefined ? {} : { reference }),
    cancel() {
      cancellation.cancel(CANCELLED)
      const seat = [...taken].find((one) => one.event === event)
      return seat ? new Promise((resolve) => seat.whenFree.push(resolve)) : Promise.resolve()
    },
  }
}

const CANCELLED: Failure = { code: 'cancelled', details: 'Somebody cancelled the event at the desk.' }

/** Names for those who look: of another process of this desk there are others, so that an old one names nobody. */
function createHands(random: () => number) {
  let names = 0
  let prefix: string | undefined
  return (stand: Stand): string => {
    prefix ??= `hand_${Math.floor(random() * 36 ** 8).toString(36)}`
    stand.hand ??= `${prefix}-${(++names).toString(36)}`
    return stand.hand
  }
}

function phaseOf({ event, slots, work, savedTokens }: Seat, now: number): RunningEvent['phase'] {
  const { isPausing, firstAt, callAt } = event.stand
  if (event.cancellation.isCancelled) return 'stopping'
  if (isPausing) return 'pausing'
  if (firstAt !== undefined) return 'writing'
  // Not streamed, or still reading: the speed learned tells how long that takes.
  if (event.stand.isStreamed || callAt === undefined || !slots.isMeasured) return 'reading'
  return now - callAt < slots.readMs(work.promptTokens - savedTokens) ? 'reading' : 'writing'
}

/** A call that takes longer than expected is likely to go on as long. */
function leftMs({ slots, work, savedTokens, loadMs, startedAt }: TakenSlot, now: number): number | undefined {
  const inAll = plus(slots.workMs(work, savedTokens), loadMs)
  return inAll === undefined ? undefined : Math.abs(startedAt + inAll - now)
}

/** The work left in each slot of a backend; undefined: not known. */
type Lane = (number | undefined)[]

/** Of those backends that take events. */
function lanesOf(
  backends: readonly BackendSlots[],
  taken: Iterable<Seat>,
  now: number,
): Map<BackendSlots, Lane> {
  const lanes = new Map<BackendSlots, Lane>()
  for (const slots of backends) {
    const own = [...taken].filter((seat) => seat.slots === slots).map((seat) => leftMs(seat, now))
    while (own.length < slots.concurrency) own.push(0)
    if (slots.admits() === 'yes') lanes.set(slots, own)
  }
  return lanes
}

interface Start {
  readonly startsInMs?: number
  readonly endsInMs?: number
}

/** Serves everybody in order, each in the slot that is free first, and says when that is. Changes the lanes. */
function forecast(
  order: readonly ForecastWaiter[],
  lanes: ReadonlyMap<BackendSlots, Lane>,
  loads: ReturnType<typeof createLoads>,
): readonly Start[] {
  return order.map(({ allowed, work, savedTokens, model }) => {
    let first:
      | { readonly lane: Lane; readonly slot: number; readonly at: number; readonly on: BackendSlots }
      | undefined
    for (const on of allowed) {
      const lane = lanes.get(on)
      if (lane === undefined) continue
      for (const [slot, at] of lane.entries()) {
        if (at !== undefined && (first === undefined || at < first.at)) first = { lane, slot, at, on }
      }
    }
    if (first === undefined) return {}
    const workMs = plus(first.on.workMs(work, savedTokens), loads(first.on, model))
    const endsInMs = workMs === undefined ? undefined : first.at + workMs
    first.lane[first.slot] = endsInMs
    return { startsInMs: first.at, ...(endsInMs === undefined ? {} : { endsInMs }) }
  })
}

const perSecond = (tokens: number, ms: number) => Math.round((10_000 * tokens) / ms) / 10
