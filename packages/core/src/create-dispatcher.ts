import type { Backend } from './contract/backend.ts'
import type { Clock } from './contract/clock.ts'
import { ABORTED, untilAborted, withTimeout } from './contract/clock.ts'
import type {
  CloseOptions,
  CountOptions,
  Dispatcher,
  EventOptions,
  FreeSlots,
  Health,
  StreamEvent,
  TokenCount,
} from './contract/dispatcher.ts'
import { type Failure, type Result, success } from './contract/failure.ts'
import {
  type DispatcherOptions,
  type ResolvedOptions,
  reconfigured,
  resolveOptions,
} from './contract/options.ts'
import type { Outcome } from './contract/outcome.ts'
import { mostToolTokens, type Prompt, turnText } from './contract/prompt.ts'
import { readAsked } from './event/event.ts'
import { Cancellation, createId, createInFlight } from './event/run.ts'
import { type EventContext, runEvent } from './on-event.ts'
import { chooseBackends } from './scheduler/candidates.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import { likelyTokens } from './scheduler/speed-estimate.ts'
import { streamEvent } from './stream-event.ts'

/** Of those who wait, how many `line` shows. */
const SHOWN = 200

/** How long closing waits for backends to confirm that they have stopped, in milliseconds. */
const SETTLE_MS = 3_000

/** How long `abandon` tries, in milliseconds: longer than a backend that is dead takes to be found so. */
const ABANDON_MS = 20_000

const SHUTTING_DOWN: Failure = {
  code: 'shutting_down',
  details: 'The desk is closing; send the event again when it is back.',
  retryAfterMs: 5_000,
}

/**
 * Makes a desk of one or more backends. They belong to it from here on: `close` closes them.
 * Throws a TypeError that names the option for a bad value.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const resolved = resolveOptions(options)
  const scheduler = new Scheduler(resolved)
  const door = new Door(scheduler, resolved.clock)
  const contextOf = (settings: ResolvedOptions) => ({
    ...settings,
    scheduler,
    admit: (cancellation: Cancellation) => door.admit(cancellation),
  })
  // Each event keeps the one that it began with.
  let context = contextOf(resolved)

  async function onEvent(event: unknown, eventOptions: EventOptions = {}): Promise<Outcome> {
    door.assertNotClosed()
    const outcome = await runEvent(context, { value: event, options: eventOptions })
    const { signal } = eventOptions
    if (signal?.aborted && outcome.error === 'cancelled') throw signal.reason
    return outcome
  }

  function stream(event: unknown, eventOptions: EventOptions = {}): AsyncIterable<StreamEvent> {
    door.assertNotClosed()
    return streamWith(context, event, eventOptions)
  }

  const dispatcher: Dispatcher = {
    // An answer that has passed its schema is of the schema's type: the compiler cannot follow that.
    onEvent: onEvent as Dispatcher['onEvent'],
    streamEvent: stream as Dispatcher['streamEvent'],
    async countTokens(event, countOptions = {}) {
      door.assertNotClosed()
      const counted = await countTokens(context, event, countOptions)
      countOptions.signal?.throwIfAborted()
      return counted.ok ? counted.value : { error: counted.failure.code, details: counted.failure.details }
    },
    freeSlots: () => freeSlotsOf(scheduler),
    async abandon(call, signal) {
      door.assertNotClosed()
      await abandon(scheduler, resolved.clock, { ...call, signal })
    },
    async health(signal) {
      door.assertNotClosed()
      signal?.throwIfAborted()
      const health = healthOf(scheduler, context.tuning.probeTimeoutMs)
      return signal ? untilReason(health, signal) : health
    },
    report: () => scheduler.report(),
    backend: (name) => scheduler.control(name),
    line: (limit = SHOWN) => scheduler.view(limit),
    inHand: (hand) => scheduler.inHand(hand),
    reconfigure(change) {
      door.assertNotClosed()
      context = contextOf(reconfigured(context, change))
      scheduler.change(context)
    },
    close: ({ drainMs = 0 }: CloseOptions = {}) => door.close(drainMs),
    [Symbol.asyncDispose]: () => dispatcher.close(),
  }
  return dispatcher
}

function streamWith(
  context: EventContext,
  value: unknown,
  options: EventOptions,
): AsyncIterable<StreamEvent> {
  const leaving = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal
  return streamEvent((sink) => runEvent(context, { value, options: { ...options, signal }, sink }), {
    cancel: () => leaving.abort(),
    partials: options.partials ?? true,
  })
}

/** Lets events in until the desk closes, and then ends those that are under way. */
class Door {
  readonly #scheduler: Scheduler
  readonly #clock: Clock
  readonly #inHand = createInFlight<Cancellation>()
  #state: 'open' | 'draining' | 'closed' = 'open'
  #closing: Promise<void> | undefined

  constructor(scheduler: Scheduler, clock: Clock) {
    this.#scheduler = scheduler
    this.#clock = clock
  }

  assertNotClosed(): void {
    if (this.#state === 'closed') throw new Error('The dispatcher is closed; make a new one.')
  }

  admit(cancellation: Cancellation): () => void {
    this.#inHand.add(cancellation)
    if (this.#state !== 'open') cancellation.cancel(SHUTTING_DOWN)
    return () => this.#inHand.remove(cancellation)
  }

  /** May be called again, without a drain, to end one. */
  close(drainMs: number): Promise<void> {
    if (this.#closing && drainMs === 0) this.#cancelAll()
    this.#closing ??= this.#shutDown(drainMs)
    return this.#closing
  }

  async #shutDown(drainMs: number): Promise<void> {
    this.#state = 'draining'
    await within(this.#clock, drainMs, this.#inHand.empty())
    this.#cancelAll()
    await this.#inHand.empty()
    await within(this.#clock, SETTLE_MS, this.#scheduler.idle())
    this.#state = 'closed'
    await this.#scheduler.close()
  }

  #cancelAll(): void {
    for (const cancellation of this.#inHand) cancellation.cancel(SHUTTING_DOWN)
  }
}

const freeSlotsOf = (scheduler: Scheduler): FreeSlots[] =>
  scheduler.backends.map((slots) => {
    const warm = scheduler.warmPrefixes(slots)
    return {
      backend: slots.name,
      free: slots.freeSlots(),
      concurrency: slots.concurrency,
      ...(warm.length > 0 && { warm }),
    }
  })

/** Milliseconds: a tokenizer takes few. One that hangs must not keep its caller. */
const COUNT_MS = 5_000

const COUNT_CANCELLED: Failure = { code: 'cancelled', details: 'The caller cancelled the count.' }

async function countTokens(
  context: ResolvedOptions & { readonly scheduler: Scheduler },
  value: unknown,
  { signal, ...options }: CountOptions,
): Promise<Result<TokenCount>> {
  const asked = readAsked(value, options)
  if (!asked.ok) return asked
  const { prompt, event } = asked.value
  const cancellation = new Cancellation()
  const cancel = () => cancellation.cancel(COUNT_CANCELLED)
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const { scheduler, clock } = context
    const routed = { prompt, model: event.model, backend: event.backend, cancellation }
    const choice = await chooseBackends(routed, scheduler.backends, context)
    if (!choice.ok) return choice
    for (const { backend } of choice.value.best) {
      const counted = await withTimeout(
        clock,
        { timeoutMs: COUNT_MS, signal: cancellation.signal },
        (limit) => untilAborted(countAt(backend, { prompt, options, context }, limit), limit),
      )
      if (counted !== ABORTED && counted !== undefined) return success(counted)
    }
    return success(estimateOf(prompt))
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

interface Counting {
  readonly prompt: Prompt
  readonly options: Pick<CountOptions, 'continues'>
  readonly context: ResolvedOptions
}

/** Undefined: this one cannot, or is not there. */
async function countAt(
  backend: Backend,
  { prompt, options, context }: Counting,
  signal: AbortSignal,
): Promise<TokenCount | undefined> {
  const { clock, random, tuning } = context
  const { turns, parameters } = prompt
  const [only, ...others] = turns
  try {
    if (options.continues && only !== undefined && others.length === 0) {
      const ids = await backend.tokenize?.(turnText(only), signal)
      if (ids !== undefined) return { tokens: ids.length, isEstimate: false, ids }
    }
    const key = `count_${createId(clock.wallTime(), random)}`
    const defaults = { temperature: tuning.temperature, top_p: tuning.topP }
    const request = { key, turns, parameters: { ...defaults, ...parameters, max_tokens: 1 } }
    const tokens = await backend.countTokens?.(request, signal)
    return tokens === undefined ? undefined : { tokens, isEstimate: false }
  } catch {
    return undefined
  }
}

function estimateOf({ turns, parameters }: Prompt): TokenCount {
  let bytes = 0
  for (const turn of turns) bytes += Buffer.byteLength(turnText(turn))
  return { tokens: likelyTokens(bytes) + mostToolTokens(parameters.tools, turns), isEstimate: true }
}

async function abandon(
  { backends }: Scheduler,
  clock: Clock,
  { backend: name, key, signal }: { backend: string; key: string; signal: AbortSignal | undefined },
): Promise<void> {
  const slots = backends.find((one) => one.name === name)
  await withTimeout(clock, { timeoutMs: ABANDON_MS, signal }, (limit) =>
    untilAborted(Promise.resolve(slots?.backend.abandon?.(key, limit)), limit),
  )
  signal?.throwIfAborted()
}

async function healthOf(scheduler: Scheduler, maxAgeMs: number): Promise<Health> {
  await Promise.all(scheduler.backends.map((slots) => slots.probe(maxAgeMs)))
  const backends = scheduler.backends.map((slots) => slots.health())
  const answers = backends.some(({ state }) => state === 'ready' || state === 'busy' || state === 'stuck')
  return { status: answers ? 'healthy' : 'degraded', backends, waiting: scheduler.waiting }
}

/** Waits for the promise; rejects with the reason of the signal as soon as that fires. */
async function untilReason<Value>(pending: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const value = await untilAborted(pending, signal)
  if (value === ABORTED) throw signal.reason
  return value
}

/** Waits for the promise, but no longer than that. */
async function within(clock: Clock, limitMs: number, promise: Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<void>()
  const timer = clock.setTimer(limit.resolve, limitMs)
  await Promise.race([promise, limit.promise])
  timer.cancel()
}
