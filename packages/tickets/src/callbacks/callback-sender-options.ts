import { type Clock, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import type { DeliveryError } from '../ticket/delivery.ts'
import type { TicketStore } from '../ticket/ticket-store.ts'
import { type CallbackContent, keyOfSecret } from './callback-message.ts'
import type { CallbackPolicy } from './callback-policy.ts'
import { CALLBACK_SCHEDULE_MS } from './next-attempt.ts'
import type { Lookup } from './post-callback.ts'

/** For `createCallbackSender`, which throws a `TypeError` that names an option with a bad value. */
export interface CallbackSenderOptions {
  /** Yours: closing the sender does not close it. */
  readonly store: Pick<TicketStore, 'callbacks'>
  /** The one that events are accepted by. */
  readonly policy: CallbackPolicy
  /** `whsec_…`, one or several: each signs, so that a receiver may have the old or the new one. */
  readonly secrets: readonly string[]
  /** Default `thin`. */
  readonly content?: CallbackContent
  /** Of `User-Agent: AI-Ticket/<version>`. Default: none. */
  readonly version?: string
  /** Default: silent. */
  readonly logger?: Logger
  /** Hears of each attempt. Default: nobody. */
  readonly observer?: CallbackObserver
  /** Milliseconds that one attempt may take. Default 15,000. */
  readonly timeoutMs?: number
  /** Pauses before each attempt, in milliseconds. Default: ten, over 75 hours. */
  readonly scheduleMs?: readonly number[]
  /** Attempts at a time. Default 32. */
  readonly concurrency?: number
  /** Of them, to one host and port. Default 4. */
  readonly concurrencyPerHost?: number
  /** Milliseconds after which another sender repeats what this one has not recorded. Default 30,000. */
  readonly leaseMs?: number
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: `Math.random`. */
  readonly random?: () => number
  /** Default: `dns.lookup`. */
  readonly lookup?: Lookup
  /** Called before an attempt is sent, and after it, before it is recorded: a test dies here. */
  readonly onStep?: (step: 'send' | 'sent') => void
}

export type ResolvedCallbackOptions = ReturnType<typeof resolveCallbackOptions>

/** Fills in the defaults. Throws a `TypeError` that names the option with a bad value. */
export function resolveCallbackOptions(options: CallbackSenderOptions) {
  const { secrets, version, ...given } = options
  if (secrets.length === 0) throw new TypeError('secrets must hold at least one secret.')
  const resolved = {
    ...given,
    keys: secrets.map(keyOfSecret),
    userAgent: version === undefined ? 'AI-Ticket' : `AI-Ticket/${version}`,
    content: given.content ?? 'thin',
    logger: given.logger ?? silentLogger,
    timeoutMs: given.timeoutMs ?? 15_000,
    scheduleMs: given.scheduleMs ?? CALLBACK_SCHEDULE_MS,
    concurrency: given.concurrency ?? 32,
    concurrencyPerHost: given.concurrencyPerHost ?? 4,
    leaseMs: given.leaseMs ?? 30_000,
    clock: given.clock ?? systemClock,
    random: given.random ?? Math.random,
    onStep: given.onStep ?? (() => {}),
  }
  for (const name of ['timeoutMs', 'concurrency', 'concurrencyPerHost', 'leaseMs'] as const) {
    if (!Number.isSafeInteger(resolved[name]) || resolved[name] < 1) {
      throw new TypeError(`${name} must be a whole number of at least 1, not ${resolved[name]}.`)
    }
  }
  if (resolved.leaseMs <= resolved.timeoutMs) {
    throw new TypeError(
      'leaseMs must be longer than timeoutMs: another sender would repeat what still goes on.',
    )
  }
  return resolved
}

/** Hears of each attempt as it ends, for metrics. Must be quick; what it throws is logged and ignored. */
export interface CallbackObserver {
  /** Called once for each attempt, after it was recorded. */
  attemptEnded?(report: CallbackReport): void
}

/** How one attempt went. */
export interface CallbackReport {
  /** `failed`: another attempt follows. `dead`: given up. */
  readonly result: 'delivered' | 'failed' | 'dead'
  /** Absent: it was delivered. */
  readonly error?: DeliveryError
  /** From the check of the address to the end of the reply, in milliseconds. */
  readonly durationMs: number
}
