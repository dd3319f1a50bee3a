import { sleep, type Timer } from '@ai-ticket/core'
import type { ClaimedDelivery } from '../ticket/callback-store.ts'
import type { DeliveryAttempt, Verdict } from '../ticket/delivery.ts'
import { hostOf } from '../ticket/delivery.ts'
import { keepTrying } from '../ticket/store-unavailable.ts'
import { attemptDelivery } from './attempt-delivery.ts'
import { type CallbackSenderOptions, resolveCallbackOptions } from './callback-sender-options.ts'
import { nextAttempt } from './next-attempt.ts'
import { createCallbackPoster } from './post-callback.ts'

export interface CallbackSender extends AsyncDisposable {
  /** Begins to send what is due. */
  start(): void
  /** How many callbacks are to be sent yet, by this sender or another. */
  pending(): Promise<number>
  /**
   * Takes up no more. What is being sent has `drainMs` (default 0), then it is cut off and not recorded: it is sent again,
   * under the same id, when its lease is over. May be called twice.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** So often it looks for what other processes left, or wrote. */
const IDLE_POLL_MS = 5_000

/**
 * Tells receivers that tickets have ended: signed by Standard Webhooks, repeated over days until one answers 2xx, never
 * more than a few at a time to one host. At least once: a receiver knows what it has had by its `webhook-id`. Any number of
 * senders may share a store. Throws a `TypeError` for a bad option.
 */
export function createCallbackSender(given: CallbackSenderOptions): CallbackSender {
  const options = resolveCallbackOptions(given)
  const { logger, clock, random, leaseMs, scheduleMs, concurrency, concurrencyPerHost, onStep } = options
  const { callbacks } = options.store
  const poster = createCallbackPoster({
    isBlocked: options.policy.isBlocked,
    ...(options.lookup && { lookup: options.lookup }),
  })
  const sending = new Set<Promise<void>>()
  const perHost = new Map<string, number>()
  const cut = new AbortController()
  let isOpen = false
  let isAsked = false
  let looking: Promise<void> | undefined
  let timer: Timer | undefined
  let ended: Promise<void> | undefined

  /** Claims what there is room for; one claim at a time. */
  function look(): void {
    if (!isOpen) return
    isAsked = true
    looking ??= lookAll().finally(() => {
      looking = undefined
    })
  }

  async function lookAll(): Promise<void> {
    timer?.cancel()
    try {
      while (isAsked && isOpen) {
        isAsked = false
        while (isOpen && (await claimSome())) {}
      }
      arm(await pauseMs())
    } catch (error) {
      logger.error('The ticket store failed; callbacks wait.', { error })
      arm(IDLE_POLL_MS)
    }
  }

  /** False: there is nothing to send, or no room for it. */
  async function claimSome(): Promise<boolean> {
    const busyHosts = [...perHost].filter(([, number]) => number >= concurrencyPerHost).map(([host]) => host)
    const others = [...perHost.values()].filter((number) => number < concurrencyPerHost)
    // So few that they fit even if all go to the busiest host that has room.
    const limit = Math.min(concurrency - sending.size, concurrencyPerHost - Math.max(0, ...others))
    if (limit <= 0) return false
    const claimed = await callbacks.claim({ limit, leaseMs, busyHosts })
    for (const one of claimed) send(one)
    return claimed.length > 0
  }

  /** What is overdue waits for room, which the end of an attempt makes. */
  async function pauseMs(): Promise<number> {
    const dueInMs = await callbacks.nextDueInMs()
    if (isAsked) return 0
    return dueInMs === undefined || dueInMs <= 0 ? IDLE_POLL_MS : Math.min(dueInMs, IDLE_POLL_MS)
  }

  function arm(delayMs: number): void {
    timer?.cancel()
    if (isOpen) timer = clock.setTimer(look, delayMs)
  }

  function send(claimed: ClaimedDelivery): void {
    const host = hostOf(claimed.delivery.url)
    perHost.set(host, (perHost.get(host) ?? 0) + 1)
    const done = deliver(claimed, host)
      .catch((error: unknown) => logger.error('A bug kept a callback from being sent.', { error }))
      .finally(() => {
        sending.delete(done)
        const left = (perHost.get(host) ?? 1) - 1
        if (left > 0) perHost.set(host, left)
        else perHost.delete(host)
        look()
      })
    sending.add(done)
  }

  async function deliver(claimed: ClaimedDelivery, host: string): Promise<void> {
    onStep('send')
    const { attempt, retryAfterMs } = await attemptDelivery(claimed, {
      ...options,
      poster,
      signal: cut.signal,
    })
    onStep('sent')
    if (cut.signal.aborted) return
    const more = retryAfterMs === undefined ? {} : { retryAfterMs }
    const verdict = nextAttempt(claimed.delivery, attempt, { scheduleMs, random: random(), ...more })
    const { ticketId, token } = claimed.delivery
    const write = () => callbacks.record({ ticketId, token }, attempt, verdict)
    const recorded = await keepTrying(write, { clock, logger, signal: cut.signal })
    if (recorded !== undefined) report(claimed, { attempt, verdict, host })
  }

  function report(
    { delivery, ticket }: ClaimedDelivery,
    { attempt, verdict, host }: { attempt: DeliveryAttempt; verdict: Verdict; host: string },
  ): void {
    const { error, details, status, durationMs } = attempt
    const result = verdict.status === 'pending' ? 'failed' : verdict.status
    // Not the address: its path and query may hold secrets.
    const fields = {
      ticket_id: ticket.id,
      event_id: ticket.eventId,
      host,
      attempt: delivery.tries + 1,
      duration_ms: durationMs,
      ...(status === undefined ? {} : { status }),
      ...(error === undefined ? {} : { error, details }),
    }
    if (verdict.status === 'pending') {
      logger.warn('callback failed; it is tried again', { ...fields, retry_in_ms: verdict.retryInMs })
    } else if (verdict.status === 'dead') logger.error('callback given up', fields)
    else logger.info('callback delivered', fields)
    try {
      options.observer?.attemptEnded?.({ result, durationMs, ...(error === undefined ? {} : { error }) })
    } catch (error) {
      logger.error('the observer of callbacks threw', { error })
    }
  }

  const unsubscribe = callbacks.subscribe(look)

  async function shutDown(drainMs: number): Promise<void> {
    isOpen = false
    timer?.cancel()
    unsubscribe()
    await looking
    const over = new AbortController()
    const idle = Promise.all(sending).then(() => over.abort())
    await Promise.race([idle, sleep(clock, drainMs, over.signal).catch(() => {})])
    cut.abort(new Error('The sender is closing.'))
    await Promise.all(sending)
    await poster.close()
  }

  const sender: CallbackSender = {
    start() {
      if (ended !== undefined || isOpen) return
      isOpen = true
      look()
    },
    pending: () => callbacks.pending(),
    close({ drainMs = 0 } = {}) {
      ended ??= shutDown(drainMs)
      return ended
    },
    [Symbol.asyncDispose]: () => sender.close(),
  }
  return sender
}
