import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import { type StartKoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import {
  createSqliteStore,
  createTicketDesk,
  type Ticket,
  type TicketDesk,
  type TicketDeskOptions,
  type TicketStore,
} from '../src/index.ts'
import { newTicket } from './new-ticket.ts'

export interface OpenTicketDeskOptions {
  readonly simulated?: StartKoboldSimulatorOptions
  readonly concurrency?: number
  readonly tuning?: Partial<DispatcherOptions>
  readonly desk?: Partial<TicketDeskOptions>
  readonly store?: TicketStore
}

/** A started desk on a store in memory, in front of one simulator; all closed at the end of the test. */
export async function openTicketDesk(options: OpenTicketDeskOptions = {}) {
  const simulator = await startKoboldSimulator(options.simulated)
  const store = options.store ?? createSqliteStore({ directory: ':memory:' })
  const backend = createKoboldBackend({ url: simulator.url, name: 'b1' })
  const dispatcher = createDispatcher({
    backends: [{ backend, concurrency: options.concurrency ?? 1 }],
    ...options.tuning,
  })
  const desk = createTicketDesk({ store, dispatcher, ...options.desk })
  await desk.start()
  return {
    simulator,
    store,
    dispatcher,
    desk,
    async accept(event: Record<string, unknown> = {}, more: Parameters<typeof newTicket>[0] = {}) {
      const accepted = await store.accept(
        newTicket({ event: { id: 'evt_1', content: 'Why?', ...event }, ...more }),
      )
      if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
      return accepted.ticket
    },
    /** Resolves with the ticket as soon as the predicate holds. */
    until: (id: string, holds: (ticket: Ticket) => boolean) => untilTicket(store, id, holds),
    async [Symbol.asyncDispose]() {
      await Promise.all([desk.close(), dispatcher.close()])
      await store.close()
      await simulator.close()
    },
  }
}

export async function untilTicket(
  store: TicketStore,
  id: string,
  holds: (ticket: Ticket) => boolean,
): Promise<Ticket> {
  for (;;) {
    const changed = Promise.withResolvers<void>()
    const stop = store.subscribe((other) => other === id && changed.resolve())
    const ticket = await store.get(id)
    if (ticket && holds(ticket)) {
      stop()
      return ticket
    }
    await changed.promise
    stop()
  }
}

/** Resolves when so much of the text of a streamed run is there. */
export async function untilText(desk: TicketDesk, id: string, length: number): Promise<void> {
  while ((desk.textOf(id)?.text.length ?? 0) < length) {
    const changed = Promise.withResolvers<void>()
    const stop = desk.watchText(id, changed.resolve)
    if ((desk.textOf(id)?.text.length ?? 0) < length) await changed.promise
    stop()
  }
}
