import * as v from 'valibot'
import type { Backend } from './backend.ts'
import { type Clock, systemClock } from './clock.ts'
import { describeIssue } from './json-value.ts'
import { type Logger, silentLogger } from './logger.ts'
import { guardObserver, type Observer } from './observer.ts'
import type { Outcome } from './outcome.ts'
import { CONTEXT_POLICIES, type ContextPolicy } from './prompt.ts'

/** The longest time an event may ask for, in milliseconds. */
export const MAX_TIMEOUT_MS = 3_600_000

/** A backend and how the desk uses it. */
export interface BackendEntry {
  /** Made by `createKoboldBackend`, `createOpenAIBackend`, or your own. */
  backend: Backend
  /** Generations at once; a KoboldCPP server does one. Default 1. */
  concurrency?: number
  /** Names by which an event's `model` may ask for it, each with the name of the model on the server. */
  aliases?: Readonly<Record<string, string>>
  /**
   * How many prompts the server keeps when it has read them, those that it works on included; 0: none. A KoboldCPP keeps
   * one for each slot, and with `--smartcache` more. Default: what the backend says, else its `concurrency`.
   */
  warmPrompts?: number
}

/** Told of every recorded outcome, once. What it throws is logged and otherwise ignored. */
export type OutcomeListener = (outcome: Outcome, context: OutcomeContext) => void

/** Facts about an event beside its outcome. */
export interface OutcomeContext {
  /** The event as it came. */
  readonly event: unknown
  /** The caller: `EventOptions.caller`, or empty. */
  readonly caller: string
  /** `EventOptions.door`. */
  readonly door?: string
  /** `EventOptions.takesAnyTurn`: with it a recorded event is read again as it was. */
  readonly takesAnyTurn?: boolean
  /** `EventOptions.maxTokensIsCeiling`, for the same reason. */
  readonly maxTokensIsCeiling?: boolean
  /** Milliseconds in the waiting line. */
  readonly waitedMs: number
  /** Its caller keeps the outcome: `EventOptions.record`. */
  readonly isRecorded: boolean
}

/**
 * What `createDispatcher` takes. Only `backends` is required; a bad value throws a TypeError that names it.
 */
export interface DispatcherOptions extends Partial<Tuning> {
  /**
   * One or more, each with a name of its own. They belong to the dispatcher from here on, which closes them: slots
   * are counted by one desk.
   */
  backends: readonly (Backend | BackendEntry)[]
  /** Where time comes from. Default `systemClock`. */
  clock?: Clock
  /** Numbers from 0 up to 1, for ids and for the jitter of pauses. Default `Math.random`. */
  random?: () => number
  /** Default: says nothing. */
  logger?: Logger
  /** Told of every outcome, once, for instance to keep a history. Default: nobody is. */
  onOutcome?: OutcomeListener
  /** Told of events and calls as they happen, for metrics. Default: nobody is. */
  observer?: Observer
  /** What happens to a prompt longer than the context of the model, unless its event says. Default `refuse`. */
  contextPolicy?: ContextPolicy
}

/**
 * What `Dispatcher.reconfigure` takes: the numbers of the desk, the context policy, and the backends. As for
 * `createDispatcher`, what is left out takes its default; but without `backends` those that are there stay as they are.
 */
export interface Reconfiguration extends Partial<Tuning>, Pick<DispatcherOptions, 'contextPolicy'> {
  /**
   * All that there are from here on. A `Backend` that the desk has already keeps its place, its breaker and what is known of
   * it, and may get another `concurrency` and other `aliases`. One that is missing here gets no new event; it is closed
   * when its last call has ended.
   */
  backends?: DispatcherOptions['backends']
}

/** All numbers of the desk. Times are milliseconds. */
export interface Tuning {
  /** Time of an event that names none, waiting included. Default 600,000 (10 minutes). */
  timeoutMs: number
  /** `max_tokens` of an event that names none. Default 512. */
  maxTokens: number
  /**
   * The same for an event whose `max_tokens` would be a ceiling (`EventOptions.maxTokensIsCeiling`, and all of `/v1`).
   * Default 0: what is left of the context.
   */
  ceilingMaxTokens: number
  /** Default 0.7. */
  temperature: number
  /** Default 1. */
  topP: number
  /** Calls of one endpoint for one event. Default 3. */
  attempts: number
  /** How often the model is asked again when its answer does not match the event's schema. Default 2. */
  repairs: number
  /** The first pause between repeats is chosen between 0 and this; it doubles. Default 500. */
  backoffBaseMs: number
  /** The longest pause between repeats, unless the server names one. Default 8,000. */
  backoffCapMs: number
  /** Share of a backend's calls that may be repeats, within the window. Default 0.2. */
  retryBudgetRatio: number
  /** Repeats that are always allowed within the window; six tenths of it to each caller. Default 10. */
  retryBudgetFloor: number
  /** Default 60,000. */
  retryBudgetWindowMs: number
  /** Places in the waiting line. Default 1,000. */
  lineCapacity: number
  /** How long an event waits until its priority rises by one, in milliseconds. Default 30,000. */
  ageingMs: number
  /**
   * How long an event may be overtaken, in milliseconds, by events whose prompts a server has read for the most part
   * already. 0: the order knows nothing of prompts. Default 10,000.
   */
  overtakeMs: number
  /**
   * How long a free slot is held for the next prompt of a conversation, in milliseconds, where reading it elsewhere would
   * cost much more. 0: never. Default 50.
   */
  lingerMs: number
  /** Events in a row that a backend must fail to be left out. Default 3. */
  breakerFailures: number
  /** How long it is left out at first; doubles. Default 5,000. */
  breakerOpenMs: number
  /** Default 60,000. */
  breakerMaxOpenMs: number
  /**
   * How long a closed port counts as a model being loaded. Default 60,000; then new events fail, while those accepted
   * before wait on as long as their own time allows. Set, it ends their waiting, too.
   */
  loadingGraceMs: number
  /** Between probes of a backend that is loading or busy with somebody else's work. Default 1,000. */
  probeIntervalMs: number
  /** How long a probe may take, and for how long `health` keeps what it said. Default 2,000. */
  probeTimeoutMs: number
  /** After how long an aborted call that has not ended shows as `stuck`, in milliseconds. Default 15,000. */
  stuckAfterMs: number
}

/** The one table of defaults. `docs/configuration.md` is checked against it. */
export const DEFAULTS: Readonly<Tuning> = {
  timeoutMs: 600_000,
  maxTokens: 512,
  ceilingMaxTokens: 0,
  temperature: 0.7,
  topP: 1,
  attempts: 3,
  repairs: 2,
  backoffBaseMs: 500,
  backoffCapMs: 8_000,
  retryBudgetRatio: 0.2,
  retryBudgetFloor: 10,
  retryBudgetWindowMs: 60_000,
  lineCapacity: 1_000,
  ageingMs: 30_000,
  overtakeMs: 10_000,
  lingerMs: 50,
  breakerFailures: 3,
  breakerOpenMs: 5_000,
  breakerMaxOpenMs: 60_000,
  loadingGraceMs: 60_000,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 2_000,
  stuckAfterMs: 15_000,
}

export type ResolvedEntry = Readonly<Required<BackendEntry>>

/** Options after `resolveOptions`: complete and read-only. */
export interface ResolvedOptions {
  readonly backends: readonly ResolvedEntry[]
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly onOutcome: OutcomeListener | undefined
  readonly observer: Required<Observer> | undefined
  readonly contextPolicy: ContextPolicy
  readonly tuning: Readonly<Tuning>
  /** The operator has not set how long a backend may load: an event that waits for one keeps waiting when the grace is over. */
  readonly outwaitsGrace: boolean
}

const whole = (minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum))
const number = (minimum: number, maximum: number) =>
  v.pipe(v.number(), v.minValue(minimum), v.maxValue(maximum))

const TuningSchema = v.object({
  timeoutMs: whole(1, MAX_TIMEOUT_MS),
  maxTokens: whole(1),
  ceilingMaxTokens: whole(0),
  temperature: number(0, 5),
  topP: number(0, 1),
  attempts: whole(1, 100),
  repairs: whole(0, 20),
  backoffBaseMs: whole(0),
  backoffCapMs: whole(0),
  retryBudgetRatio: number(0, 1),
  retryBudgetFloor: whole(0),
  retryBudgetWindowMs: whole(1),
  lineCapacity: whole(0),
  ageingMs: whole(1),
  overtakeMs: whole(0),
  lingerMs: whole(0),
  breakerFailures: whole(1),
  breakerOpenMs: whole(0),
  breakerMaxOpenMs: whole(0),
  loadingGraceMs: whole(0),
  probeIntervalMs: whole(1),
  probeTimeoutMs: whole(1),
  stuckAfterMs: whole(1),
})

const EntrySchema = v.object({
  concurrency: whole(1, 10_000),
  aliases: v.record(v.string(), v.string()),
  warmPrompts: whole(0, 100_000),
})

/** Fills in the defaults. Throws a TypeError that names the option for a bad value. */
export function resolveOptions(options: DispatcherOptions): ResolvedOptions {
  const backends = options.backends.map(toEntry)
  if (backends.length === 0) throw new TypeError('createDispatcher: `backends` is empty; give at least one.')
  const names = backends.map(({ backend }) => backend.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new TypeError(`createDispatcher: two backends are named "${twice}"; give each a different name.`)
  }
  const logger = options.logger ?? silentLogger
  return {
    backends,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    logger,
    onOutcome: options.onOutcome,
    observer: options.observer && guardObserver(options.observer, logger),
    contextPolicy: check(v.picklist(CONTEXT_POLICIES), options.contextPolicy ?? 'refuse', 'contextPolicy'),
    tuning: resolveTuning(options),
    outwaitsGrace: options.loadingGraceMs === undefined,
  }
}

/** The options of a desk that runs, changed. Throws a TypeError as `resolveOptions` does. */
export function reconfigured(before: ResolvedOptions, change: Reconfiguration): ResolvedOptions {
  const entries = change.backends ?? before.backends
  const { backends, tuning, contextPolicy, outwaitsGrace } = resolveOptions({ ...change, backends: entries })
  return { ...before, backends, tuning, contextPolicy, outwaitsGrace }
}

function resolveTuning(options: Partial<Tuning>): Tuning {
  const tuning = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof Tuning)[]) tuning[name] = options[name] ?? DEFAULTS[name]
  return check(TuningSchema, tuning, '')
}

function toEntry(given: Backend | BackendEntry, index: number): ResolvedEntry {
  const entry = 'backend' in given ? given : { backend: given }
  const { concurrency = 1, aliases = {} } = entry
  const warmPrompts = entry.warmPrompts ?? entry.backend.warmPrompts ?? concurrency
  return {
    backend: entry.backend,
    ...check(EntrySchema, { concurrency, aliases: { ...aliases }, warmPrompts }, `backends[${index}]`),
  }
}

function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  path: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value)
  if (!parsed.success) throw new TypeError(`createDispatcher: ${describeIssue(parsed.issues[0], path)}`)
  return parsed.output
}
