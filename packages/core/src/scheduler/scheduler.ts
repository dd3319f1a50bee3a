import { sleep, type Timer } from '../contract/clock.ts'
import type { BackendControl, DeskReport, EventInHand, LineReport, LineView } from '../contract/dispatcher.ts'
import { type Failure, failure, type Result, success } from '../contract/failure.ts'
import type { ResolvedOptions, Tuning } from '../contract/options.ts'
import { createInFlight, type Stand, type Work } from '../event/run.ts'
import { BackendSlots, budgetOf, type SlotsWatcher } from './backend-slots.ts'
import { type Choice, chooseBackends, type RoutedEvent } from './candidates.ts'
import { createForecast, etaSeconds, type Forecast, type ForecastWaiter } from './forecast.ts'
import { type Lease, openLease } from './lease.ts'
import { createCallerBudgets } from './retry-budget.ts'
import { createLineWindow, type Seat, type WaitingSeat } from './show-line.ts'
import { WaitingLine } from './waiting-line.ts'
import { LinkCounts, LOOK_AGE_MS, WarmDesk } from './warm-desk.ts'

/** What the scheduler needs to know of an event. */
export interface ScheduledEvent extends RoutedEvent {
  readonly id: string
  readonly stand: Stand
  readonly priority: number
  readonly caller: string
  readonly startedAt: number
  readonly deadlineAt: number
  readonly work: Work
  readonly answerSchema: { readonly schema: unknown } | undefined
  /** What its sender calls the beginning of its prompt. */
  readonly prefix?: string | undefined
}

export interface LeaseRequest {
  readonly event: ScheduledEvent
  /** Names of backends that are not to be asked again. */
  readonly tried: ReadonlySet<string>
  /** The event was accepted before: it is no longer refused, and goes to the head of the line. */
  readonly isReturning: boolean
  /** Called once the event has a slot or a place in line. */
  readonly onAdmitted?: (() => void) | undefined
}

/** What came of a request, and how long it stood in line for that. */
export interface Grant {
  readonly lease: Result<Lease>
  readonly waitedMs: number
  /** Of that, milliseconds since somebody behind it was first served because of a warm prompt. */
  readonly overtakenMs: number
}

interface QueuedEvent extends WaitingSeat {
  /** Another one where the backends change. */
  allowed: ForecastWaiter['allowed']
  backends: ForecastWaiter['backends']
  readonly event: ScheduledEvent
  readonly tried: ReadonlySet<string>
  grant(slots: BackendSlots): void
  /** Its place went to a caller with fewer places. */
  displace(): void
  /** No backend is left that may serve it. */
  fail(problem: Failure): void
}

/** Backends, their slots and the line before them. */
export class Scheduler {
  #backends: readonly BackendSlots[]
  /** They belong to the desk no longer, and work on what they have. */
  readonly #leaving = new Set<BackendSlots>()
  readonly #watcher: SlotsWatcher
  #options: ResolvedOptions
  readonly #line: WaitingLine<QueuedEvent>
  readonly #taken = createInFlight<Seat>()
  readonly #forecast: Forecast
  readonly #warm: WarmDesk
  /** When the line is looked at again, because a slot is held or somebody waits for a warm one. */
  #again: { readonly at: number; readonly timer: Timer } | undefined
  readonly #watches = new Map<BackendSlots, Timer>()
  /** The beginnings of the prompts that wait. */
  readonly #links = new LinkCounts()
  readonly #window: ReturnType<typeof createLineWindow>
  readonly #callerBudgets: ReturnType<typeof createCallerBudgets>

  constructor(options: ResolvedOptions) {
    const { clock, tuning } = options
    this.#options = options
    this.#line = new WaitingLine(lineOf(tuning))
    this.#callerBudgets = createCallerBudgets(budgetOf(options))
    this.#forecast = createForecast({
      line: this.#line,
      taken: this.#taken,
      clock,
      inGroups: () => this.#warm.isOn,
    })
    this.#warm = new WarmDesk({
      ...options,
      tuning: () => this.#options.tuning,
      remainingMs: (slots) => this.#remainingMs(slots),
      priorityOf: (waiter) => this.#line.effective(waiter, clock.now()),
    })
    this.#watcher = {
      onChange: () => this.#serve(),
      onLook: this.#warm.onLook.bind(this.#warm),
      onForgotten: this.#warm.forget.bind(this.#warm),
    }
    this.#backends = options.backends.map((entry) => new BackendSlots(entry, options, this.#watcher))
    this.#window = createLineWindow({
      ...options,
      taken: this.#taken,
      line: this.#line,
      desk: () => ({ backends: this.#backends, tuning: this.#options.tuning }),
    })
  }

  /** In the order of the options. Another list where they have changed. */
  get backends(): readonly BackendSlots[] {
    return this.#backends
  }

  /** Other settings for all that comes from here on. */
  change(options: ResolvedOptions): void {
    this.#options = options
    this.#line.change(lineOf(options.tuning))
    this.#callerBudgets.change(budgetOf(options))
    const before = this.#backends
    const names = namesOf(before)
    const after = options.backends.map((entry) => {
      const known = before.find(({ backend }) => backend === entry.backend)
      known?.change(entry, options)
      return known ?? new BackendSlots(entry, options, this.#watcher)
    })
    if (after.some((slots, place) => slots !== before[place]) || namesOf(after) !== names) {
      this.#backends = after
      for (const slots of before) if (!after.includes(slots)) this.#sendAway(slots)
      for (const queued of this.#line.waiting()) {
        // A bug, of an adapter: it waits for those that it had.
        this.#chooseAgain(queued).catch((error) => options.logger.error('internal error', { error }))
      }
    }
    this.#serve()
  }

  #sendAway(slots: BackendSlots): void {
    slots.leave()
    this.#warm.drop(slots)
    this.#watches.get(slots)?.cancel()
    this.#watches.delete(slots)
    this.#leaving.add(slots)
    this.#closeIfLeft(slots)
  }

  /** Closes a backend that has left, once its last call has ended. */
  #closeIfLeft(slots: BackendSlots): void {
    if (slots.inFlight > 0 || !this.#leaving.delete(slots)) return
    const { logger } = this.#options
    void slots.backend.close().catch((error: unknown) => {
      logger.warn('backend did not close', { backend: slots.name, error })
    })
  }

  /** It keeps its place in line, and waits for those that may serve it now. */
  async #chooseAgain(queued: QueuedEvent): Promise<void> {
    const chosen = await this.#chooseNow(queued.event)
    if (!this.#line.has(queued)) return
    const allowed = chosen.ok ? chosen.value.allowed : queued.allowed
    const left = allowed.filter(({ name, hasLeft }) => !queued.tried.has(name) && !hasLeft)
    if (left.length === 0) {
      this.#line.leave(queued)
      queued.fail(chosen.ok ? NOBODY_LEFT : chosen.failure)
      return
    }
    queued.allowed = left
    queued.backends = left.map(({ name }) => name)
    this.#serve()
    for (const slots of left) this.#watch(slots)
  }

  /** Those that may answer, of the backends that there are when the answer is known. */
  async #chooseNow(event: ScheduledEvent): Promise<Result<Choice>> {
    for (;;) {
      const backends = this.#backends
      const chosen = await chooseBackends(event, backends, this.#options)
      if (backends === this.#backends || event.cancellation.isCancelled) return chosen
    }
  }

  /** Events that wait for a slot. */
  get waiting(): number {
    return this.#line.size
  }

  /** Waits for a slot of one of the backends that may answer, but not of one that was tried. */
  async take(request: LeaseRequest): Promise<Grant> {
    const { event, tried, isReturning } = request
    const { cancellation } = event
    if (cancellation.isCancelled) return refused(cancellation.reason)
    const looking = this.#lookAtShelves(event)
    if (looking) await looking
    if (cancellation.isCancelled) return refused(cancellation.reason)
    const backends = this.#backends
    const choosing = chooseBackends(event, backends, this.#options)
    let chosen = choosing instanceof Promise ? await choosing : choosing
    if (backends !== this.#backends) chosen = await this.#chooseNow(event)
    if (cancellation.isCancelled) return refused(cancellation.reason)
    if (!chosen.ok) return refused(chosen.failure)
    const { allowed, best } = chosen.value
    const isLeft = ({ name }: BackendSlots) => !tried.has(name)
    const left = allowed.filter(isLeft)
    if (left.length === 0) return refused(NOBODY_LEFT)
    const waiter = this.#toWaiter(event, left)
    const tooLate = isReturning ? undefined : this.#forecast.refusal(waiter, event.deadlineAt)
    if (tooLate) return refused(tooLate)
    this.#serve()
    this.#probeAway(left)
    const isFit = (slots: BackendSlots) =>
      isLeft(slots) && accepts(slots, left) && !slots.isOutwaitedBy(waiter)
    const free = this.#choose(waiter, best.filter(isFit))
    if (!free) return this.#wait(request, waiter)
    request.onAdmitted?.()
    return { lease: success(this.#open(free, event, allowed)), waitedMs: 0, overtakenMs: 0 }
  }

  /** The free backend to use; undefined: there is none, or the line decides who gets it. */
  #choose(waiter: ForecastWaiter, free: readonly BackendSlots[]): BackendSlots | undefined {
    const [first] = free
    this.#warm.onArrival(waiter)
    if (!first || !this.#warm.isOn) return first
    // A slot that is free although somebody waits for it is held, or left for who comes after.
    if (this.#line.size >= this.#options.tuning.lineCapacity) return first
    const waiting = this.#line.size > 0 ? this.#line.waiting() : []
    if (waiting.some(({ allowed }) => free.some((slots) => allowed.includes(slots)))) return undefined
    return this.#warm.chooseFree(waiter, free, waiting)
  }

  #toWaiter(event: ScheduledEvent, allowed: readonly BackendSlots[]): ForecastWaiter {
    const { priority, caller, startedAt, deadlineAt, work, prompt, model, answerSchema } = event
    const waiter = { priority, caller, enteredAt: startedAt, deadlineAt, work, prompt, model, answerSchema }
    const savedTokens = allowed.some(({ isFree }) => isFree)
      ? 0
      : this.#warm.likelySaved({ ...waiter, allowed }, this.#links)
    return { ...waiter, backends: allowed.map(({ name }) => name), allowed, savedTokens }
  }

  report(): DeskReport {
    return { backends: this.backends.map((slots) => slots.report()), line: this.#reportLine() }
  }

  view(limit: number): LineView {
    return this.#window.look(limit)
  }

  control(name: string): BackendControl | undefined {
    const slots = this.backends.find((one) => one.name === name)
    if (slots === undefined) return undefined
    return {
      pause(by) {
        slots.pause(by)
        return slots.report()
      },
      resume() {
        slots.resume()
        return slots.report()
      },
      async probe() {
        await slots.probe(0)
        return slots.report()
      },
    }
  }

  inHand(hand: string): EventInHand | undefined {
    return this.#window.find(hand)
  }

  /** Of prompts that this backend is likely to keep, what their senders call their beginnings. */
  warmPrefixes(slots: BackendSlots): readonly string[] {
    return this.#warm.prefixes(slots)
  }

  /** Resolves when no slot is taken. */
  idle(): Promise<void> {
    return this.#taken.empty()
  }

  /** Stops looking after backends and closes them. */
  async close(): Promise<void> {
    for (const timer of this.#watches.values()) timer.cancel()
    this.#again?.timer.cancel()
    this.#watches.clear()
    const all = [...this.#backends, ...this.#leaving]
    await Promise.allSettled(all.map(({ backend }) => backend.close()))
  }

  #open(slots: BackendSlots, event: ScheduledEvent, allowed: readonly BackendSlots[]): Lease {
    const { work, caller, prompt, model } = event
    const loadMs = slots.loadMs(model)
    const reader = this.#warm.read(slots, event, this.#mayBeAwaited(slots))
    const { likelySaved: savedTokens } = reader
    if (savedTokens > 0) this.#lookAt(slots)
    const startedAt = this.#options.clock.now()
    const taken: Seat = { slots, event, work, savedTokens, loadMs, startedAt, whenFree: [] }
    this.#taken.add(taken)
    const context = {
      slots,
      allowed,
      callerBudget: this.#callerBudgets.of(caller),
      reader,
      model,
      // With tools, KoboldCPP makes one of its own to choose among them (fact 68).
      generations: prompt.parameters.tools?.length ? 2 : 1,
      options: this.#options,
    }
    return openLease(context, () => {
      this.#taken.remove(taken)
      for (const tell of taken.whenFree) tell()
      if (slots.hasLeft) this.#closeIfLeft(slots)
    })
  }

  /** Whether somebody may ever choose between this slot and another, or between two who wait for it. */
  #mayBeAwaited({ inFlight, concurrency }: BackendSlots): boolean {
    return this.backends.length > 1 || this.#line.size > 0 || inFlight + 1 >= concurrency
  }

  /** Now and then, compares what the desk believes about a server's memory with what the server counts. */
  #lookAt(slots: BackendSlots): void {
    const { clock } = this.#options
    if (clock.now() - slots.probedAt > LOOK_AGE_MS) void slots.probe(LOOK_AGE_MS)
  }

  /**
   * Whether a server loads models by itself is seen before the first event that names one; it may have let its model go
   * while nobody asked it.
   */
  #lookAtShelves({ model }: ScheduledEvent): Promise<unknown> | undefined {
    const { clock, tuning } = this.#options
    const unseen = this.backends.filter(({ shelf, inFlight, probed, probedAt, reported, backend }) => {
      if (inFlight > 0) return false
      if (!probed) return (model ?? backend.defaultModel) !== undefined
      return (shelf !== undefined || reported?.incomplete) && clock.now() - probedAt > LOOK_AGE_MS
    })
    if (unseen.length === 0) return undefined
    const looks = Promise.all(unseen.map((slots) => slots.probe(LOOK_AGE_MS)))
    return Promise.race([looks, sleep(clock, Math.min(LOOK_MS, tuning.probeTimeoutMs))])
  }

  /** Until one of its slots is likely to be free. A call that takes longer than expected is likely to go on as long. */
  #remainingMs(slots: BackendSlots): number {
    const now = this.#options.clock.now()
    let least = Number.POSITIVE_INFINITY
    for (const taken of this.#taken) {
      if (taken.slots !== slots) continue
      const workMs = slots.roughWorkMs(taken.work, taken.savedTokens) + (taken.loadMs ?? 0)
      const left = taken.startedAt + workMs - now
      least = Math.min(least, Math.abs(left))
    }
    return least
  }

  #wait({ event, tried, isReturning, onAdmitted }: LeaseRequest, waiter: ForecastWaiter): Promise<Grant> {
    const { clock } = this.#options
    const { signal } = event.cancellation
    const since = clock.now()
    // The same at the end, where the desk has begun to look at prompts meanwhile.
    const chain = this.#warm.chainOf(waiter)
    return new Promise((resolve) => {
      const end = (lease: Result<Lease>) => {
        signal.removeEventListener('abort', onAbort)
        this.#links.remove(chain)
        resolve({ lease, waitedMs: clock.now() - since, overtakenMs: this.#warm.overtakenMs(queued) })
      }
      const onAbort = () => {
        this.#line.leave(queued)
        end(failure(event.cancellation.reason))
      }
      const queued: QueuedEvent = {
        ...waiter,
        event,
        tried,
        headOfLine: isReturning,
        grant: (slots) => end(success(this.#open(slots, event, queued.allowed))),
        displace: () => end(failure(this.#full(DISPLACED, queued))),
        fail: (problem) => end(failure(problem)),
      }
      if (!this.#enter(queued)) return resolve(refused(this.#full(FULL, waiter)))
      this.#links.add(chain)
      signal.addEventListener('abort', onAbort, { once: true })
      onAdmitted?.()
      if (this.#warm.isOn && waiter.allowed.some(({ isFree }) => isFree)) this.#serve()
      for (const slots of waiter.allowed) this.#watch(slots)
    })
  }

  /** False: the line is full, and no other caller has so many places that one of them should be given up. */
  #enter(queued: QueuedEvent): boolean {
    if (this.#line.enter(queued) === 'queued') return true
    const displaced = this.#line.makeRoom(queued)
    if (!displaced) return false
    displaced.displace()
    return this.#line.enter(queued) === 'queued'
  }

  #full(problem: Failure, { allowed }: ForecastWaiter): Failure {
    return { ...problem, retryAfterMs: this.#forecast.fullLineRetryMs(allowed) }
  }

  /** Gives free slots to those who wait. Called after everything that may have changed who can be served. */
  #serve(): void {
    if (this.#line.size === 0) return
    for (const slots of this.backends) {
      for (let next = this.#nextFor(slots); next; next = this.#nextFor(slots)) next.grant(slots)
    }
    for (const slots of this.backends) this.#watch(slots)
  }

  #nextFor(slots: BackendSlots): QueuedEvent | undefined {
    if (this.#line.size === 0 || !slots.isFree) return undefined
    const mayGo = (waiter: QueuedEvent) => !slots.isOutwaitedBy(waiter)
    const admission = slots.admits()
    if (admission === 'yes' && this.#warm.isOn) return this.#nextWarm(slots, mayGo)
    if (admission !== 'no') return this.#line.next(slots.name, this.#options.clock.now(), mayGo)
    const trial = this.#line
      .waiting()
      .find((waiter) => waiter.allowed.includes(slots) && accepts(slots, waiter.allowed) && mayGo(waiter))
    if (trial) this.#line.leave(trial)
    return trial
  }

  /** The order of turns, changed within bounds for prompts that the backend has read already. */
  #nextWarm(slots: BackendSlots, mayGo: (waiter: QueuedEvent) => boolean): QueuedEvent | undefined {
    const order = this.#line.order(slots.name, this.#options.clock.now(), mayGo)
    const [first] = order
    const next = first?.headOfLine ? { waiter: first } : this.#warm.next(slots, order)
    if (!next) return undefined
    if ('againAt' in next) {
      this.#serveAgainAt(next.againAt)
      return undefined
    }
    this.#line.serve(next.waiter, next.waiter.caller !== first?.caller)
    return next.waiter
  }

  #serveAgainAt(at: number): void {
    if (this.#again && this.#again.at <= at) return
    this.#again?.timer.cancel()
    const { clock } = this.#options
    const timer = clock.setTimer(() => {
      this.#again = undefined
      this.#serve()
    }, at - clock.now())
    this.#again = { at, timer }
  }

  /** While somebody waits for a backend that takes nobody, looks again and again whether it does now. */
  #watch(slots: BackendSlots): void {
    if (this.#watches.has(slots) || !this.#isAwaited(slots)) return
    const { clock, tuning } = this.#options
    const timer = clock.setTimer(() => {
      this.#watches.delete(slots)
      // Time alone may have ended what kept events away. A shut backend is tried with a real event, not with a probe.
      if (!slots.isGone() && (slots.admits() !== 'no' || slots.isShut())) this.#serve()
      else if (this.#isAwaited(slots)) void slots.probe(0).then(() => this.#serve())
    }, tuning.probeIntervalMs)
    this.#watches.set(slots, timer)
  }

  #isAwaited(slots: BackendSlots): boolean {
    if (this.#line.size === 0 || (slots.admits() !== 'no' && !slots.isGone())) return false
    return this.#line.waiting().some(({ allowed }) => allowed.includes(slots))
  }

  /** Looks at those that get no event which would find out whether they are back. */
  #probeAway(allowed: readonly BackendSlots[]): void {
    const { tuning } = this.#options
    for (const slots of allowed) {
      // Its turn as the trial comes last, so that where others serve it would never come: a probe is as good.
      if (slots.isShut() && slots.admits() === 'trial') void slots.probe(tuning.probeTimeoutMs)
      // If no event waits for it, no event would notice that it is back.
      else if (slots.stateName() === 'loading') void slots.probe(tuning.probeIntervalMs)
    }
  }

  #reportLine(): LineReport {
    const oldest = this.#line.oldestEnteredAt
    const eta = etaSeconds(this.#forecast.newcomerStartsInMs(this.backends))
    return {
      waiting: this.#line.size,
      capacity: this.#options.tuning.lineCapacity,
      ...(oldest === undefined ? {} : { oldest_ms: Math.round(this.#options.clock.now() - oldest) }),
      ...(eta === undefined ? {} : { eta_seconds: eta }),
    }
  }
}

/** So long at most an event waits for a look at a server that loads models; those that answer do so in one. */
const LOOK_MS = 200

/** A shut backend takes nobody, unless all that the event may use are shut: then the event is the trial. */
const accepts = (slots: BackendSlots, allowed: readonly BackendSlots[]): boolean =>
  slots.isFree && (slots.admits() !== 'no' || (slots.isShut() && allowed.every((other) => other.isShut())))

const refused = (problem: Failure): Grant => ({ lease: failure(problem), waitedMs: 0, overtakenMs: 0 })

/** Those by which events may ask for them. */
const namesOf = (backends: readonly BackendSlots[]): string =>
  JSON.stringify(backends.map(({ name, aliases }) => [name, aliases]))

const lineOf = ({ lineCapacity, ageingMs }: Tuning) => ({ capacity: lineCapacity, ageingMs })

const NOBODY_LEFT: Failure = {
  code: 'api_connection_error',
  details: 'None of the backends that may answer the event is left to ask.',
}

const FULL: Failure = {
  code: 'capacity_exceeded',
  details: 'The waiting line is full; come back later.',
}

const DISPLACED: Failure = {
  code: 'capacity_exceeded',
  details:
    'The waiting line is full, and you have the most places in it: this one went to another caller. Come back later, or send fewer events at once.',
}
