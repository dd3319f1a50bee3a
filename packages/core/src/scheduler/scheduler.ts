import type { Timer } from '../contract/clock.ts'
import type { DeskReport, LineReport } from '../contract/dispatcher.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import { endedBecause, type Run } from '../event/run.ts'
import { type BackendSlots, createBackendSlots } from './backend-slots.ts'
import { createChooser } from './candidates.ts'
import { createForecast, etaSeconds, type ForecastWaiter, type TakenSlot } from './forecast.ts'
import { type Lease, openLease } from './lease.ts'
import { createLine } from './waiting-line.ts'

/** Backends, their slots and the line before them. */
export interface Scheduler {
  readonly allBackendSlots: readonly BackendSlots[]
  /** Events that wait for a slot. */
  readonly waiting: number
  report(): DeskReport
  /** Waits for a slot of one of the backends that may answer, but not of one that was tried. */
  takeLease(
    run: Run,
    how: { readonly tried: ReadonlySet<string>; readonly isReturning: boolean },
  ): Promise<Result<Lease>>
  /** Whether there are backends to go on to, and whether one of them is known to answer. */
  others(run: Run, except: ReadonlySet<string>): { readonly exist: boolean; readonly ready: boolean }
  /** Resolves when no slot is taken. */
  idle(): Promise<void>
  /** Stops looking after backends and closes them. */
  close(): Promise<void>
}

type DeskWaiter = ForecastWaiter & { grant(backendSlots: BackendSlots): void }

export function createScheduler(options: ResolvedOptions): Scheduler {
  const { clock, tuning, observer } = options
  const line = createLine<DeskWaiter>({ capacity: tuning.lineCapacity, ageingMs: tuning.ageingMs })
  const allBackendSlots = options.backends.map((entry) => createBackendSlots(entry, options, serve))
  const byName = new Map(allBackendSlots.map((backendSlots) => [backendSlots.name, backendSlots]))
  const choose = createChooser({ allBackendSlots, clock, tuning })
  const watchers = new Map<BackendSlots, Timer>()
  const taken = new Set<TakenSlot>()
  const forecast = createForecast({ line, taken, clock, named: (names) => named(names) })
  let isServing = false
  let whenIdle: (() => void)[] = []

  const isFree = ({ slots }: BackendSlots) => slots.inFlight < slots.concurrency

  /** A shut backend takes nobody, unless all that the event may use are shut: then the event is the trial. */
  const takes = (backendSlots: BackendSlots, allowed: readonly BackendSlots[]) =>
    isFree(backendSlots) &&
    (backendSlots.admits() !== 'no' || (backendSlots.isShut() && allowed.every((other) => other.isShut())))

  /** Gives free slots to those who wait. Called after everything that may have changed who can be served. */
  function serve(): void {
    if (isServing) return
    isServing = true
    for (const backendSlots of allBackendSlots) {
      for (let waiter = nextFor(backendSlots); waiter; waiter = nextFor(backendSlots))
        waiter.grant(backendSlots)
    }
    isServing = false
    for (const backendSlots of allBackendSlots) watch(backendSlots)
  }

  function nextFor(backendSlots: BackendSlots): DeskWaiter | undefined {
    if (line.size === 0 || !isFree(backendSlots)) return undefined
    if (backendSlots.admits() !== 'no') return line.next(backendSlots.name, clock.now())
    const trial = line
      .waiting()
      .find(({ backends }) => backends.includes(backendSlots.name) && takes(backendSlots, named(backends)))
    if (trial) line.leave(trial)
    return trial
  }

  const named = (names: readonly string[]) => names.flatMap((name) => byName.get(name) ?? [])

  /** While somebody waits for a backend that takes nobody, looks again and again whether it does now. */
  function watch(backendSlots: BackendSlots): void {
    if (watchers.has(backendSlots) || !isAwaited(backendSlots)) return
    const timer = clock.setTimer(() => {
      watchers.delete(backendSlots)
      // Time alone may have ended what kept events away. A shut backend is tried with a real event, not with a probe.
      if (backendSlots.admits() !== 'no' || backendSlots.isShut()) serve()
      else if (isAwaited(backendSlots)) void backendSlots.look(0).then(serve)
    }, tuning.probeIntervalMs)
    watchers.set(backendSlots, timer)
  }

  const isAwaited = (backendSlots: BackendSlots) =>
    line.size > 0 &&
    backendSlots.admits() === 'no' &&
    line.waiting().some(({ backends }) => backends.includes(backendSlots.name))

  function sit(backendSlots: BackendSlots, run: Run): Lease {
    const slot: TakenSlot = { backendSlots, run, startedAt: clock.now() }
    taken.add(slot)
    return openLease({ backendSlots, run, clock, tuning, observer }, () => {
      taken.delete(slot)
      if (taken.size > 0) return
      for (const listener of whenIdle) listener()
      whenIdle = []
    })
  }

  const toWaiter = (run: Run, allowed: readonly BackendSlots[]) => ({
    run,
    priority: run.priority,
    caller: run.caller,
    enteredAt: run.startedAt,
    backends: allowed.map(({ name }) => name),
    grant() {},
  })

  function wait(run: Run, allowed: readonly BackendSlots[], isReturning: boolean): Promise<Result<Lease>> {
    const { signal } = run.control
    const since = clock.now()
    return new Promise((resolve) => {
      const end = (result: Result<Lease>) => {
        signal.removeEventListener('abort', onAbort)
        run.waitedMs += clock.now() - since
        resolve(result)
      }
      const onAbort = () => {
        line.leave(waiter)
        end(failure(endedBecause(run)))
      }
      const waiter: DeskWaiter = {
        ...toWaiter(run, allowed),
        headOfLine: isReturning,
        grant: (backendSlots) => end(success(sit(backendSlots, run))),
      }
      if (line.enter(waiter) === 'full') {
        return resolve(failure({ ...FULL, retryAfterMs: forecast.fullLineRetryMs(allowed) }))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (!isReturning) run.sink?.admitted(run.id)
      for (const backendSlots of allowed) watch(backendSlots)
    })
  }

  function reportLine(): LineReport {
    const oldest = line.oldestEnteredAt
    const eta = etaSeconds(forecast.newcomerStartsInMs(allBackendSlots))
    return {
      waiting: line.size,
      capacity: tuning.lineCapacity,
      ...(oldest === undefined ? {} : { oldest_ms: Math.round(clock.now() - oldest) }),
      ...(eta === undefined ? {} : { eta_seconds: eta }),
    }
  }

  return {
    allBackendSlots,
    get waiting() {
      return line.size
    },
    report: () => ({
      backends: allBackendSlots.map((backendSlots) => backendSlots.report()),
      line: reportLine(),
    }),
    async takeLease(run, { tried, isReturning }) {
      if (run.control.signal.aborted) return failure(endedBecause(run))
      const choosing = choose(run)
      const routed = choosing instanceof Promise ? await choosing : choosing
      if (run.control.signal.aborted) return failure(endedBecause(run))
      if (!routed.ok) return routed
      const isLeft = ({ name }: BackendSlots) => !tried.has(name)
      const allowed = routed.value.allowed.filter(isLeft)
      if (allowed.length === 0) return failure(NOBODY_LEFT)
      if (!isReturning) {
        const refused = forecast.refusal(toWaiter(run, allowed), allowed)
        if (refused) return failure(refused)
      }
      serve()
      for (const away of allowed) {
        // Its turn as the trial comes last, so that where others serve it would never come: a probe is as good.
        if (away.isShut() && away.admits() === 'trial') void away.look(tuning.probeTimeoutMs)
        // Nobody need wait for it, so that nobody would see that it is back.
        else if (away.stateName() === 'loading') void away.look(tuning.probeIntervalMs)
      }
      const backendSlots = routed.value.best.filter(isLeft).find((candidate) => takes(candidate, allowed))
      if (!backendSlots) return wait(run, allowed, isReturning)
      if (!isReturning) run.sink?.admitted(run.id)
      return success(sit(backendSlots, run))
    },
    others(run, except) {
      const left = named(run.allowed).filter(({ name }) => !except.has(name))
      const usable = left.filter((backendSlots) => !(backendSlots.isShut() && backendSlots.admits() === 'no'))
      return { exist: usable.length > 0, ready: usable.some((backendSlots) => isReady(backendSlots)) }
    },
    idle() {
      if (taken.size === 0) return Promise.resolve()
      return new Promise((resolve) => whenIdle.push(resolve))
    },
    async close() {
      for (const timer of watchers.values()) timer.cancel()
      watchers.clear()
      await Promise.allSettled(allBackendSlots.map(({ backend }) => backend.close()))
    },
  }
}

/** Not known to be away: one that was never asked is worth a call before a dead one is asked again. */
const isReady = (backendSlots: BackendSlots) =>
  ['ready', 'busy', 'unknown'].includes(backendSlots.stateName())

const NOBODY_LEFT: Failure = {
  code: 'api_connection_error',
  details: 'None of the backends that may answer the event is left to ask.',
}

const FULL: Failure = {
  code: 'capacity_exceeded',
  details: 'The waiting line is full; come back later.',
}
