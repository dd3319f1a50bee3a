import type { Logger } from '@ai-ticket/core'
import type { ClaimedDelivery } from '../ticket/callback-store.ts'
import { ClaimLoop } from '../ticket/claim-loop.ts'
import { type DeliveryAttempt, hostOf, type Verdict } from '../ticket/delivery.ts'
import { keepTrying } from '../ticket/store-unavailable.ts'
import { attemptDelivery } from './attempt-delivery.ts'
import {
  type CallbackObserver,
  type CallbackSenderOptions,
  type ResolvedCallbackOptions,
  resolveCallbackOptions,
} from './callback-sender-options.ts'
import { nextAttempt } from './next-attempt.ts'
import { type CallbackPoster, createCallbackPoster } from './post-callback.ts'

/** Sends the callbacks of a store, one process or several on the same one. */
export interface CallbackSender extends AsyncDisposable {
  /** Begins to send what is due. */
  start(): void
  /** How many callbacks are still to be sent, by this sender or another. */
  pending(): Promise<number>
  /**
   * Takes up no more. What is being sent has `drainMs` (default 0), then it is cut off and not recorded: it is sent again,
   * under the same id, when its lease is over. May be called twice.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** How often it looks for what other processes left, or wrote. */
const IDLE_POLL_MS = 5_000

/**
 * Tells receivers that tickets have ended: signed by Standard Webhooks, repeated over days until one answers 2xx, never
 * more than a few at a time to one host. At least once: a receiver recognises a repeat by its `webhook-id`. Any number of
 * senders may share a store. Throws a `TypeError` for a bad option.
 */
export function createCallbackSender(options: CallbackSenderOptions): CallbackSender {
  return new StoreCallbackSender(resolveCallbackOptions(options))
}

class StoreCallbackSender implements CallbackSender {
  readonly #options: ResolvedCallbackOptions
  readonly #poster: CallbackPoster
  readonly #loop: ClaimLoop
  readonly #cut = new AbortController()
  readonly #unsubscribe: () => void
  #load: HostLoad = new Map()
  #ended: Promise<void> | undefined

  constructor(options: ResolvedCallbackOptions) {
    const { policy, lookup, clock, logger, store } = options
    this.#options = options
    this.#poster = createCallbackPoster({ isBlocked: policy.isBlocked, ...(lookup && { lookup }) })
    this.#loop = new ClaimLoop({
      clock,
      claim: () => this.#claim(),
      pauseMs: () => this.#pauseMs(),
      failed: (error) => logger.error('The ticket store failed; callbacks wait.', { error }),
      retryMs: IDLE_POLL_MS,
    })
    this.#unsubscribe = store.callbacks.subscribe(() => void this.#loop.ask())
  }

  start(): void {
    if (this.#ended === undefined && !this.#loop.isOpen) void this.#loop.open()
  }

  pending(): Promise<number> {
    return this.#options.store.callbacks.pending()
  }

  close({ drainMs = 0 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#ended ??= this.#shutDown(drainMs)
    return this.#ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Claims until nothing is due, or there is no room. */
  async #claim(): Promise<void> {
    const { store, leaseMs } = this.#options
    while (this.#loop.isOpen) {
      const { limit, busyHosts } = deliveryRoom(this.#load, this.#options)
      if (limit <= 0) return
      const claimed = await store.callbacks.claim({ limit, leaseMs, busyHosts })
      if (claimed.length === 0) return
      for (const one of claimed) this.#send(one)
    }
  }

  /** An overdue delivery waits for room, which the end of an attempt makes. */
  async #pauseMs(): Promise<number> {
    const dueInMs = await this.#options.store.callbacks.nextDueInMs()
    return dueInMs === undefined || dueInMs <= 0 ? IDLE_POLL_MS : Math.min(dueInMs, IDLE_POLL_MS)
  }

  #send(claimed: ClaimedDelivery): void {
    const host = hostOf(claimed.delivery.url)
    this.#load = addedTo(this.#load, host)
    const sent = this.#deliver(claimed)
      .catch((error: unknown) => {
        this.#options.logger.error('A bug kept a callback from being sent.', { error })
      })
      .then(() => {
        this.#load = removedFrom(this.#load, host)
        void this.#loop.ask()
      })
    this.#loop.run(sent)
  }

  async #deliver(claimed: ClaimedDelivery): Promise<void> {
    const { store, clock, logger, random, scheduleMs, onStep } = this.#options
    const { signal } = this.#cut
    onStep('send')
    const { attempt, retryAfterMs } = await attemptDelivery(claimed, {
      ...this.#options,
      poster: this.#poster,
      signal,
    })
    onStep('sent')
    if (signal.aborted) return
    const more = retryAfterMs === undefined ? {} : { retryAfterMs }
    const verdict = nextAttempt(claimed.delivery, attempt, { scheduleMs, random: random(), ...more })
    const { ticketId, token } = claimed.delivery
    const write = () => store.callbacks.record({ ticketId, token }, attempt, verdict)
    const recorded = await keepTrying(write, { clock, logger, signal })
    if (recorded !== undefined) reportAttempt(claimed, { attempt, verdict }, this.#options)
  }

  async #shutDown(drainMs: number): Promise<void> {
    this.#unsubscribe()
    await this.#loop.close(drainMs)
    this.#cut.abort(new Error('The sender is closing.'))
    await this.#loop.ended()
    await this.#poster.close()
  }
}

export interface HostLimits {
  /** Attempts at a time. */
  readonly concurrency: number
  /** Of them, to one host and port. */
  readonly concurrencyPerHost: number
}

/** Which hosts are being sent to, by `host:port`. A value: changes give back a new one. */
export type HostLoad = ReadonlyMap<string, number>

export const addedTo = (load: HostLoad, host: string): HostLoad =>
  new Map([...load, [host, (load.get(host) ?? 0) + 1]])

export const removedFrom = (load: HostLoad, host: string): HostLoad =>
  new Map(
    [...load]
      .map(([name, number]) => [name, name === host ? number - 1 : number] as const)
      .filter(([, number]) => number > 0),
  )

/** How much to claim, and for which hosts nothing. */
export function deliveryRoom(
  load: HostLoad,
  { concurrency, concurrencyPerHost }: HostLimits,
): { readonly limit: number; readonly busyHosts: readonly string[] } {
  const sending = [...load.values()].reduce((sum, number) => sum + number, 0)
  const busiest = Math.max(0, ...[...load.values()].filter((number) => number < concurrencyPerHost))
  return {
    // So few that they fit even if all of them go to the busiest host that has room.
    limit: Math.min(concurrency - sending, concurrencyPerHost - busiest),
    busyHosts: [...load].filter(([, number]) => number >= concurrencyPerHost).map(([host]) => host),
  }
}

interface ReportedAttempt {
  readonly attempt: DeliveryAttempt
  readonly verdict: Verdict
}

/** Logs an attempt that has been recorded, and tells the observer. */
function reportAttempt(
  { delivery, ticket }: ClaimedDelivery,
  { attempt, verdict }: ReportedAttempt,
  { logger, observer }: { readonly logger: Logger; readonly observer?: CallbackObserver | undefined },
): void {
  const { error, details, status, durationMs } = attempt
  // Not the address: its path and query may hold secrets.
  const fields = {
    ticket_id: ticket.id,
    event_id: ticket.eventId,
    host: hostOf(delivery.url),
    attempt: delivery.tries + 1,
    duration_ms: durationMs,
    ...(status === undefined ? {} : { status }),
    ...(error === undefined ? {} : { error, details }),
  }
  if (verdict.status === 'pending') {
    logger.warn('callback failed; it is tried again', { ...fields, retry_in_ms: verdict.retryInMs })
  } else if (verdict.status === 'dead') logger.error('callback given up', fields)
  else logger.info('callback delivered', fields)
  const result = verdict.status === 'pending' ? 'failed' : verdict.status
  try {
    observer?.attemptEnded?.({ result, durationMs, ...(error === undefined ? {} : { error }) })
  } catch (thrown) {
    logger.error('the observer of callbacks threw', { error: thrown })
  }
}
