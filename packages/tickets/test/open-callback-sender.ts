import type { LogFields, Logger } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import {
  type CallbackPolicyOptions,
  type CallbackReport,
  type CallbackSenderOptions,
  createCallbackPolicy,
  createCallbackSender,
  createSqliteStore,
  type TicketStore,
} from '../src/index.ts'
import { newTicket } from './new-ticket.ts'
import { ANSWER } from './ticket-store-contract.ts'

export const SECRET = `whsec_${Buffer.alloc(32, 'a secret for tests').toString('base64')}`

export interface OpenCallbackSenderOptions {
  /** Base addresses that may be called. */
  readonly to: readonly { readonly url: string }[]
  readonly sender?: Partial<CallbackSenderOptions>
  readonly policy?: Partial<CallbackPolicyOptions>
  readonly wrap?: (store: TicketStore) => TicketStore
}

/** A started sender on a store in memory and a clock that stands still; receivers on the loopback address are allowed. */
export async function openCallbackSender({ to, sender: given, policy, wrap }: OpenCallbackSenderOptions) {
  // Of today, for the official library compares the time of an attempt with its own clock.
  const clock = createVirtualClock({ startAt: Date.now() })
  const real = createSqliteStore({ directory: ':memory:', clock })
  const store = wrap ? wrap(real) : real
  const lines: string[] = []
  const log = (message: string, fields?: LogFields) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: log, info: log, warn: log, error: log }
  const reports: CallbackReport[] = []
  const waiting = new Set<() => void>()
  const options = {
    store,
    clock,
    logger,
    policy: createCallbackPolicy({
      allow: to.map(({ url }) => `${url}/*`),
      privateNetworks: ['127.0.0.0/8'],
      ...policy,
    }),
    secrets: [SECRET],
    random: () => 0,
    observer: {
      attemptEnded(report: CallbackReport) {
        reports.push(report)
        for (const look of waiting) look()
      },
    },
    ...given,
  } satisfies CallbackSenderOptions
  const sender = createCallbackSender(options)
  sender.start()
  return {
    clock,
    store,
    sender,
    options,
    lines,
    reports,
    /** Runs a ticket to its end; gives back its id. */
    async end(callbackUrl: string, event: Record<string, unknown> = {}): Promise<string> {
      const accepted = await real.accept(
        newTicket({ callbackUrl, event: { id: 'evt_1', content: 'secret prompt', ...event } }),
      )
      const owner = { worker: 'w', session: 's' }
      const [held] = await real.claim({ owner, leaseMs: 1_000, limit: 1 })
      if (!('ticket' in accepted) || held?.id !== accepted.ticket.id) throw new Error('not claimed')
      await real.settle(held, ANSWER)
      return held.id
    },
    /** Ends so many tickets in one commit. */
    async cancelMany(number: number, callbackUrl: string): Promise<void> {
      const given = newTicket({ callbackUrl })
      const accepted = await Promise.all(Array.from({ length: number }, () => real.accept(given)))
      await Promise.all(accepted.flatMap((one) => ('ticket' in one ? real.cancel(one.ticket.id) : [])))
    },
    /** Resolves when so many attempts have ended and are recorded. */
    async reported(number: number): Promise<void> {
      if (reports.length >= number) return
      const done = Promise.withResolvers<void>()
      const look = () => reports.length >= number && done.resolve()
      waiting.add(look)
      await done.promise
      waiting.delete(look)
    },
    deliveryOf: async (id: string) => (await real.callbacks.find([id])).get(id),
    async [Symbol.asyncDispose]() {
      await sender.close()
      await real.close()
    },
  }
}
