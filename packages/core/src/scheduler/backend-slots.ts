import { type Backend, BackendError, type BackendState } from '../contract/backend.ts'
import { ABORTED, type Clock, untilAborted, withTimeout } from '../contract/clock.ts'
import type { BackendHealth, BackendReport } from '../contract/dispatcher.ts'
import type { Logger } from '../contract/logger.ts'
import type { ResolvedEntry, ResolvedOptions } from '../contract/options.ts'
import type { Usage } from '../contract/outcome.ts'
import type { Work } from '../event/run.ts'
import { ModelShelf } from '../warmth/model-shelf.ts'
import {
  type Admission,
  admits,
  type BackendStateName,
  type BackendStatus,
  goneSince,
  initialStatus,
  isOnTrial,
  isOpen,
  onProbe,
  onTrialStarted,
  stateAt,
} from './backend-state.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import { modelOn, type RoutableBackend, sameModel } from './route.ts'
import {
  estimateMs,
  learnFromCall,
  partCall,
  roughTimes,
  tokenTimes,
  unknownSpeed,
} from './speed-estimate.ts'

/** What a whole answer took. */
export interface CallSample {
  readonly usage: Usage | undefined
  /** Of the call alone, without waiting and earlier attempts. */
  readonly durationMs: number
  readonly firstTokenMs: number | undefined
  /** Estimated before the call, the whole prompt. */
  readonly likelyTokens: number
  /** Tokens of `usage` that were not read, because the server had kept them. */
  readonly savedTokens: number
  readonly maxTokens: number
}

/** Hears what happens to a backend. */
export interface SlotsWatcher {
  /** Called after everything that may let in somebody who waits. */
  onChange(): void
  /** A probe has found this. `isQuiet`: no call of ours ran meanwhile. */
  onLook(slots: BackendSlots, found: BackendState, isQuiet: boolean): void
  /** Whatever the server kept may be gone. */
  onForgotten(slots: BackendSlots): void
}

/** Weight of the newest answer in the average. */
const LATENCY_WEIGHT = 0.3

/** Of the newest count, in what an estimated token is worth. */
const SCALE_WEIGHT = 0.2

/** One backend at the desk: its slots, its retry budget, and what is known of it. */
export class BackendSlots implements RoutableBackend {
  readonly backend: Backend
  readonly budget: RetryBudget
  readonly #slots: Slots
  #entry: ResolvedEntry
  #options: ResolvedOptions
  readonly #watcher: SlotsWatcher
  #shelf: ModelShelf | undefined
  #status: BackendStatus
  #reported: BackendState | undefined
  #probedAt = Number.NEGATIVE_INFINITY
  /** The last probe may be out of date: the connection was lost since, or the probe itself failed to connect. */
  #isStale = false
  #probing: Promise<void> | undefined
  #problem: string | undefined
  #latencyMs: number | undefined
  #speed = unknownSpeed
  /** The server's own tokens for each that was estimated. */
  #tokenScale = 1
  readonly #generations = { sent: 0, ended: 0, answered: 0 }
  #countProblem: string | undefined
  #paused: BackendReport['paused']
  #hasLeft = false

  constructor(entry: ResolvedEntry, options: ResolvedOptions, watcher: SlotsWatcher) {
    this.backend = entry.backend
    this.#slots = createSlots(entry.concurrency)
    this.#entry = entry
    this.#options = options
    this.#watcher = watcher
    this.budget = createRetryBudget(budgetOf(options))
    this.#status = initialStatus(patienceOf(options))
  }

  /**
   * Other settings from here on. More calls than a smaller `concurrency` allows end; a breaker that is open stays so for its
   * time. Whoever calls it lets in those who wait.
   */
  change(entry: ResolvedEntry, options: ResolvedOptions): void {
    this.#entry = entry
    this.#options = options
    this.#slots.resize(entry.concurrency)
    this.budget.change(budgetOf(options))
    this.#status = { ...this.#status, options: { ...this.#status.options, ...patienceOf(options) } }
  }

  /** It belongs to the desk no longer: it gets no new event, and what runs there ends. */
  leave(): void {
    this.#hasLeft = true
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  get name(): string {
    return this.backend.name
  }

  get aliases(): Readonly<Record<string, string>> {
    return this.#entry.aliases
  }

  /** Prompts that the server keeps, those that it works on included. */
  get keeps(): number {
    return this.#entry.warmPrompts
  }

  get inFlight(): number {
    return this.#slots.inFlight
  }

  get concurrency(): number {
    return this.#slots.concurrency
  }

  get isFree(): boolean {
    return this.inFlight < this.concurrency
  }

  get status(): BackendStatus {
    return this.#status
  }

  /** What the last successful probe said. */
  get reported(): BackendState | undefined {
    return this.#reported
  }

  get models(): readonly string[] {
    return this.#reported?.models ?? []
  }

  get probed(): boolean {
    return this.#probedAt !== Number.NEGATIVE_INFINITY
  }

  get recentLatencyMs(): number | undefined {
    return this.#latencyMs
  }

  stateName(): BackendStateName {
    return stateAt(this.#status, this.#options.clock.now(), this.#slots)
  }

  /** Whether an event may be sent there: breaker, loading and busy holds, not slots. */
  admits(): Admission {
    return this.isPaused ? 'no' : admits(this.#status, this.#options.clock.now())
  }

  get isPaused(): boolean {
    return this.#paused !== undefined || this.#hasLeft
  }

  /** Keeps new events away. A second pause changes nothing: the first one tells since when. */
  pause(by: string): void {
    this.#paused ??= { since: new Date(this.#options.clock.wallTime()).toISOString(), by }
  }

  resume(): void {
    this.#paused = undefined
    this.#watcher.onChange()
  }

  /** Its breaker is open and nobody is trying it. */
  isShut(): boolean {
    return (
      !this.isPaused && isOpen(this.#status) && !isOnTrial(this.#status) && this.stateName() !== 'loading'
    )
  }

  /**
   * Its port is closed for longer than a model usually takes to load, and an event that was accepted before waits on for
   * it: how long such an event may take is for its own deadline to say, unless the operator has set the grace.
   */
  isOutwaitedBy({ enteredAt }: { readonly enteredAt: number }): boolean {
    const since = this.#goneSince()
    return since !== undefined && enteredAt < since
  }

  /** An event may still wait for it, although it no longer counts as loading. */
  isGone(): boolean {
    return this.#goneSince() !== undefined
  }

  #goneSince(): number | undefined {
    const { outwaitsGrace, clock } = this.#options
    return outwaitsGrace ? goneSince(this.#status, clock.now()) : undefined
  }

  /** How many events would be let in now. A backend on trial takes one. */
  freeSlots(): number {
    const admission = this.admits()
    if (admission === 'yes') return Math.max(0, this.concurrency - this.inFlight)
    return admission === 'trial' && this.inFlight === 0 ? 1 : 0
  }

  /** Takes a slot. `isTrial`: its event finds out whether a backend that was shut is back; no other is let in meanwhile. */
  take(): { readonly isTrial: boolean } {
    const isTrial = this.admits() !== 'yes'
    this.#slots.take()
    if (isTrial) this.#status = onTrialStarted(this.#status)
    return { isTrial }
  }

  /** So many generations have ended in the slot, the last one with an answer or without. */
  release(generations = 0, isAnswered = false): void {
    this.#generations.ended += generations
    if (isAnswered) this.#generations.answered += 1
    this.#slots.release()
  }

  become(status: BackendStatus): void {
    const before = this.stateName()
    this.#status = status
    logChange(this.#options.logger, before, this)
    this.#watcher.onChange()
  }

  /** Asks the backend how it is. One question at a time; answers younger than `maxAgeMs` are taken as they are. */
  probe(maxAgeMs: number): Promise<void> {
    if (this.#probing) return this.#probing
    if (!this.#isStale && this.#options.clock.now() - this.#probedAt < maxAgeMs) return Promise.resolve()
    this.#probing = this.#probeNow().finally(() => {
      this.#probing = undefined
    })
    return this.#probing
  }

  /** The connection was lost: another server, or the same one with another model, may answer next. */
  expectChange(): void {
    this.#isStale = true
    this.#watcher.onForgotten(this)
  }

  /** What its counter of generations may have counted of ours, and what it must have. */
  get generations(): { readonly sent: number; readonly ended: number; readonly answered: number } {
    return { ...this.#generations }
  }

  /** `generations`: so many of them the server makes of one call. */
  countCall(generations: number): void {
    this.#generations.sent += generations
  }

  /** The model that answers an event, as the server lists it; undefined: whatever is loaded. */
  modelOf(model: string | undefined): string | undefined {
    const asked = modelOn(this, model) ?? this.backend.defaultModel
    return asked === undefined ? undefined : (this.models.find((name) => sameModel(name, asked)) ?? asked)
  }

  /** Models that the server loads when they are asked for, by the names of `modelOf`; undefined: it is none that does. */
  get shelf(): ModelShelf | undefined {
    return this.#shelf
  }

  /** How long it loads before it can answer an event, in milliseconds; undefined: nobody knows. */
  loadMs(model: string | undefined): number | undefined {
    return this.#shelf ? this.#shelf.loadMs(this.modelOf(model)) : 0
  }

  /** The same by whatever is known, for comparing only. */
  roughLoadMs(model: string | undefined): number {
    return this.#shelf?.roughLoadMs(this.modelOf(model)) ?? 0
  }

  /** What it would take to load the model of an event again, which is loaded now, in milliseconds; 0: it is not. */
  keptMs(model: string | undefined): number {
    return this.#shelf?.keptMs(this.modelOf(model)) ?? 0
  }

  /** Whether it would have to let a model go for an event. */
  swapsFor(model: string | undefined): boolean {
    return this.#shelf?.pushesOut(this.modelOf(model)) ?? false
  }

  /** It has loaded a model for a call: what was asked of the one before does not hold. */
  expectModel(): void {
    this.#isStale = true
  }

  /** Tokens that the model of an event holds, as far as it is known. `isCertain`: asks, unless it has just been asked. */
  async contextLength(
    model: string | undefined,
    { isCertain }: { readonly isCertain: boolean },
  ): Promise<number | undefined> {
    if (isCertain) await this.probe(0)
    else if (this.#isStale || !this.#reported) await this.probe(this.#options.tuning.probeIntervalMs)
    return this.knownContextLength(model)
  }

  /** The same without asking. A model that is not loaded has none yet: the one that is says nothing of it. */
  knownContextLength(model: string | undefined): number | undefined {
    if (!this.shelf || !this.#reported) return this.#reported?.contextLength
    const name = this.modelOf(model)
    if (name === undefined) return this.#reported.contextLength
    return this.#reported.loaded?.find((loaded) => sameModel(loaded.name, name))?.contextLength
  }

  /** Whether its model takes images; undefined: the backend does not say. */
  async takesImages(): Promise<boolean | undefined> {
    const isKnown = !this.#isStale && this.#reported !== undefined
    // Another model may have been loaded since: no refusal rests on an old look.
    if (!isKnown || this.#reported?.vision === false) await this.probe(this.#options.tuning.probeIntervalMs)
    return this.#reported?.vision
  }

  /** Keeps why it did not count tokens, or that it did. False: that is known already. */
  isNewCountProblem(problem: string | undefined): boolean {
    const isNew = problem !== undefined && problem !== this.#countProblem
    this.#countProblem = problem
    return isNew
  }

  async #probeNow(): Promise<void> {
    const { clock, tuning } = this.#options
    const sentBefore = this.inFlight === 0 ? this.#generations.sent : undefined
    const found = this.#completed(await probe(this.backend, clock, tuning.probeTimeoutMs))
    this.#probedAt = clock.now()
    this.#noticeChange(found, this.#generations.sent === sentBefore)
    this.#problem = found instanceof BackendError ? found.message : undefined
    // A port that was closed a moment ago may be open now, and to ask it costs nothing.
    this.#isStale = found instanceof BackendError && found.kind === 'connect'
    if (!(found instanceof BackendError)) this.#reported = found
    this.become(onProbe(this.#status, this.#probedAt, found))
  }

  /** Lasting facts that the server did not tell in time stay as they were; what it does at the moment is not known then. */
  #completed(found: BackendState | BackendError): BackendState | BackendError {
    if (found instanceof BackendError || !found.incomplete || !this.#reported) return found
    const { models, loaded, contextLength, version, vision } = this.#reported
    return {
      ...(loaded && { loaded }),
      ...(contextLength !== undefined && { contextLength }),
      ...(version !== undefined && { version }),
      ...(vision !== undefined && { vision }),
      ...found,
      models: found.models.length < models.length ? models : found.models,
    }
  }

  /** Another model behind the same port has read nothing yet. */
  #noticeChange(found: BackendState | BackendError, isQuiet: boolean): void {
    if (found instanceof BackendError) return
    const before = this.#reported
    const isOther =
      before !== undefined &&
      (before.contextLength !== found.contextLength || before.models.join() !== found.models.join())
    if (isOther) this.#watcher.onForgotten(this)
    // A look that brings less than the one before says nothing of what is loaded; another server does.
    if (isOther && !found.loaded) this.#shelf = undefined
    this.#lookAtShelf(found, isQuiet)
    this.#watcher.onLook(this, found, isQuiet)
  }

  #lookAtShelf({ models, loaded, incomplete }: BackendState, isQuiet: boolean): void {
    if (!loaded || incomplete || models.length < 2) return
    const names = loaded.map(({ name }) => models.find((listed) => sameModel(listed, name)) ?? name)
    const isFirst = this.#shelf === undefined
    this.#shelf ??= new ModelShelf()
    this.#shelf.look(models, isQuiet || isFirst ? names : undefined)
  }

  /** When a probe last ended, on the clock. */
  get probedAt(): number {
    return this.#probedAt
  }

  /** Learns from a whole answer. */
  learn({ usage, durationMs, firstTokenMs, maxTokens, likelyTokens, savedTokens }: CallSample): void {
    if (usage) {
      if (likelyTokens > 0) {
        const scale = usage.prompt_tokens / likelyTokens
        this.#tokenScale += (this.#speed.observations === 0 ? 1 : SCALE_WEIGHT) * (scale - this.#tokenScale)
      }
      this.#speed = learnFromCall(this.#speed, {
        promptTokens: Math.max(1, usage.prompt_tokens - savedTokens),
        completionTokens: usage.completion_tokens,
        durationMs,
        maxTokens,
        ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
      })
    }
    const before = this.#latencyMs ?? durationMs
    this.#latencyMs = before + LATENCY_WEIGHT * (durationMs - before)
  }

  /** How long the work is likely to take here, in milliseconds; undefined before a speed is learned. */
  workMs(work: Work, savedTokens = 0): number | undefined {
    return estimateMs(this.#speed, this.#scaled(work, savedTokens))
  }

  /** Parts the time of a whole call into reading and writing; undefined: nobody can tell. */
  partCall(usage: Usage, durationMs: number, savedTokens: number): ReturnType<typeof partCall> {
    const promptTokens = Math.max(0, usage.prompt_tokens - savedTokens)
    return partCall(this.#speed, { promptTokens, completionTokens: usage.completion_tokens, durationMs })
  }

  /** How long it takes to read and write so many tokens, by whatever is known; undefined before the first answer. */
  tokensMs(read: number, written: number): number | undefined {
    const { readMs, writtenMs } = roughTimes(this.#speed)
    return this.isMeasured ? read * readMs + written * writtenMs : undefined
  }

  /** The same by whatever is known, for comparing only. */
  roughWorkMs(work: Work, savedTokens: number): number {
    const scaled = this.#scaled(work, savedTokens)
    return estimateMs(this.#speed, scaled, roughTimes(this.#speed)) ?? 0
  }

  /** Something of its speed is known. */
  get isMeasured(): boolean {
    return this.#speed.observations > 0
  }

  /** What reading so many likely tokens is worth, in milliseconds. */
  readMs(likelyTokens: number): number {
    return this.tokens(likelyTokens) * roughTimes(this.#speed).readMs
  }

  /** The server's tokens for so many likely ones. */
  tokens(likelyTokens: number): number {
    return likelyTokens * this.#tokenScale
  }

  #scaled({ promptTokens, maxTokens }: Work, savedTokens: number): Work {
    return { promptTokens: this.tokens(Math.max(0, promptTokens - savedTokens)), maxTokens }
  }

  health(): BackendHealth {
    const aliases = Object.keys(this.aliases)
    const { contextLength, version, loaded } = this.#reported ?? {}
    const { unusable } = this.#status
    const details = this.#problem ?? (unusable && UNUSABLE[unusable])
    return {
      name: this.name,
      state: this.stateName(),
      models: [...this.models],
      ...(loaded && {
        loaded_models: this.#shelf ? [...this.#shelf.loaded] : loaded.map(({ name }) => name),
      }),
      ...(aliases.length === 0 ? {} : { aliases }),
      ...(contextLength === undefined ? {} : { context_length: contextLength }),
      ...(version === undefined ? {} : { version }),
      concurrency: this.concurrency,
      in_flight: this.inFlight,
      ...(details === undefined ? {} : { details }),
    }
  }

  report(): BackendReport {
    const speeds = tokenTimes(this.#speed)
    return {
      ...this.health(),
      breaker: isOnTrial(this.#status) ? 'trial' : isOpen(this.#status) ? 'open' : 'closed',
      ...(this.#paused && { paused: this.#paused }),
      repeats_left: this.budget.left(this.#options.clock.now()),
      ...(this.#latencyMs === undefined ? {} : { latency_ms: Math.round(this.#latencyMs) }),
      ...(speeds && {
        prompt_tokens_per_second: perSecond(speeds.readMs),
        completion_tokens_per_second: perSecond(speeds.writtenMs),
      }),
      ...(this.#shelf?.meanLoadMs !== undefined && { model_load_ms: Math.round(this.#shelf.meanLoadMs) }),
    }
  }
}

/** Why a backend that answers cannot be used. */
const UNUSABLE: Readonly<Record<NonNullable<BackendStatus['unusable']>, string>> = {
  unauthorised:
    'unauthorised: it wants an API key, and ours is missing or wrong. Set the key of this backend.',
  no_model: 'It has no model loaded. Load one.',
  failing: 'It answers with errors.',
}

const perSecond = (milliseconds: number) => Math.round(10_000 / milliseconds) / 10

/** What the backend says of itself, or why it does not. Never throws: every way of failing is an answer here. */
function probe(backend: Backend, clock: Clock, timeoutMs: number): Promise<BackendState | BackendError> {
  const silent = () =>
    new BackendError('dead', `${backend.name} did not say how it is within ${timeoutMs} ms.`)
  return withTimeout(clock, { timeoutMs }, async (signal) => {
    try {
      // An adapter that does not obey its signal must not blind the desk.
      const state = await untilAborted(backend.probe(signal), signal)
      return state === ABORTED ? silent() : state
    } catch (error) {
      if (signal.aborted) return silent()
      if (error instanceof BackendError) return error
      return new BackendError('wrong_shape', `${backend.name} could not be probed.`, { cause: error })
    }
  })
}

/** Busy and ready alternate with every event; only what an operator would act on is told. */
function logChange(logger: Logger, before: BackendStateName, slots: BackendSlots): void {
  const after = slots.stateName()
  if (before === after) return
  if (after === 'down' || after === 'stuck' || after === 'loading') {
    const { name: backend, details } = slots.health()
    logger.warn(`backend is ${after}`, { backend, ...(details !== undefined && { details }) })
  } else if (before === 'down' || before === 'stuck' || before === 'loading') {
    logger.info(`backend is ${after} again`, { backend: slots.name })
  }
}

/** How often a backend, or all backends for one caller, may be asked again. */
export const budgetOf = ({ tuning }: ResolvedOptions) => ({
  windowMs: tuning.retryBudgetWindowMs,
  share: tuning.retryBudgetRatio,
  floor: tuning.retryBudgetFloor,
})

const patienceOf = ({ tuning }: ResolvedOptions) => ({
  failuresToOpen: tuning.breakerFailures,
  openMs: tuning.breakerOpenMs,
  maxOpenMs: tuning.breakerMaxOpenMs,
  loadingGraceMs: tuning.loadingGraceMs,
})

/** Counts the calls that run at one backend, and never lets in more than it can do. */
export interface Slots {
  readonly concurrency: number
  readonly inFlight: number
  /** Takes one; false, and nothing taken, where all are taken. */
  take(): boolean
  /** So many from here on. Those that are taken beyond it end. */
  resize(concurrency: number): void
  /** Gives one back. Throws where none is taken: that is a bug which would let in one call too many later. */
  release(): void
}

/** `concurrency`: how many calls the backend does at once; a whole number from 1. */
export function createSlots(concurrency: number): Slots {
  let size = checked(concurrency)
  let inFlight = 0
  return {
    get concurrency() {
      return size
    },
    get inFlight() {
      return inFlight
    },
    resize(next) {
      size = checked(next)
    },
    take() {
      if (inFlight >= size) return false
      inFlight += 1
      return true
    },
    release() {
      if (inFlight === 0) throw new Error('A slot was released that was not taken.')
      inFlight -= 1
    },
  }
}

function checked(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency
  throw new RangeError(`concurrency must be a whole number from 1, not ${concurrency}`)
}
