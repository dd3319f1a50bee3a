import type { Clock } from './contract/clock.ts'
import { untilAborted } from './contract/clock.ts'
import type { CloseOptions, Dispatcher, EventOptions, Health, StreamEvent } from './contract/dispatcher.ts'
import type { Failure } from './contract/failure.ts'
import { type DispatcherOptions, resolveOptions } from './contract/options.ts'
import type { Outcome } from './contract/outcome.ts'
import type { Run } from './event/run.ts'
import { runEvent } from './on-event.ts'
import type { BackendSlots } from './scheduler/backend-slots.ts'
import { createInFlight } from './scheduler/in-flight.ts'
import { createScheduler } from './scheduler/scheduler.ts'
import { streamEvent } from './stream-event.ts'

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
  const { clock, tuning } = resolved
  const scheduler = createScheduler(resolved)
  const runs = createInFlight<Run>()
  let state: 'open' | 'draining' | 'closed' = 'open'
  let closing: Promise<void> | undefined

  const context = {
    ...resolved,
    scheduler,
    admit(run: Run): () => void {
      runs.add(run)
      if (state !== 'open') run.control.abort(SHUTTING_DOWN)
      return () => runs.remove(run)
    },
  }

  function assertNotClosed(): void {
    if (state === 'closed') throw new Error('The dispatcher is closed; make a new one.')
  }

  async function onEvent(event: unknown, eventOptions: EventOptions = {}): Promise<Outcome> {
    assertNotClosed()
    const outcome = await runEvent(context, { value: event, options: eventOptions })
    const { signal } = eventOptions
    if (signal?.aborted && 'error' in outcome && outcome.error === 'cancelled') throw signal.reason
    return outcome
  }

  function abortAll(): void {
    for (const run of runs) run.control.abort(SHUTTING_DOWN)
  }

  async function shutDown(drainMs: number): Promise<void> {
    state = 'draining'
    await within(clock, drainMs, runs.empty())
    abortAll()
    await runs.empty()
    await within(clock, SETTLE_MS, scheduler.idle())
    state = 'closed'
    await scheduler.close()
  }

  function stream(event: unknown, eventOptions: EventOptions = {}): AsyncIterable<StreamEvent> {
    assertNotClosed()
    const leaving = new AbortController()
    const signal = eventOptions.signal
      ? AbortSignal.any([eventOptions.signal, leaving.signal])
      : leaving.signal
    return streamEvent(
      (sink) => runEvent(context, { value: event, options: { ...eventOptions, signal }, sink }),
      () => leaving.abort(),
    )
  }

  const dispatcher: Dispatcher = {
    // An answer that has passed its schema is of the schema's type: the compiler cannot follow that.
    onEvent: onEvent as Dispatcher['onEvent'],
    streamEvent: stream as Dispatcher['streamEvent'],
    freeSlots: () =>
      scheduler.allBackendSlots.map((backendSlots) => ({
        backend: backendSlots.name,
        free: freeSlotsOf(backendSlots),
        concurrency: backendSlots.concurrency,
      })),
    async abandon({ backend: name, key }, signal) {
      assertNotClosed()
      const backendSlots = scheduler.allBackendSlots.find((one) => one.name === name)
      const over = new AbortController()
      const limit = signal ? AbortSignal.any([signal, over.signal]) : over.signal
      const timer = clock.setTimer(() => over.abort(), ABANDON_MS)
      try {
        await untilAborted(Promise.resolve(backendSlots?.backend.abandon?.(key, limit)), limit)
      } finally {
        timer.cancel()
      }
      signal?.throwIfAborted()
    },
    async health(): Promise<Health> {
      assertNotClosed()
      await Promise.all(
        scheduler.allBackendSlots.map((backendSlots) => backendSlots.look(tuning.probeTimeoutMs)),
      )
      const backends = scheduler.allBackendSlots.map((backendSlots) => backendSlots.health())
      const answers = backends.some(({ state }) => state === 'ready' || state === 'busy' || state === 'stuck')
      return { status: answers ? 'healthy' : 'degraded', backends, waiting: scheduler.waiting }
    },
    report: () => scheduler.report(),
    close({ drainMs = 0 }: CloseOptions = {}) {
      if (closing && drainMs === 0) abortAll()
      closing ??= shutDown(drainMs)
      return closing
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  }
  return dispatcher
}

/** A backend on trial takes one event. */
function freeSlotsOf(backendSlots: BackendSlots): number {
  const { inFlight, concurrency } = backendSlots.slots
  const admission = backendSlots.admits()
  if (admission === 'yes') return concurrency - inFlight
  return admission === 'trial' && inFlight === 0 ? 1 : 0
}

/** Waits for the promise, but no longer than that. */
async function within(clock: Clock, limitMs: number, promise: Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<void>()
  const timer = clock.setTimer(limit.resolve, limitMs)
  await Promise.race([promise, limit.promise])
  timer.cancel()
}
