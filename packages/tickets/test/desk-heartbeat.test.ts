import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { createSqliteStore, createTicketDesk, type TicketStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'

it('holds what it runs while a dead server’s generation takes long to be stopped', async () => {
  await using simulator = await startKoboldSimulator({ tokensPerSecond: 1 })
  await using store = createSqliteStore({ directory: ':memory:' })
  const backend = createKoboldBackend({ url: simulator.url, name: 'b1' })
  await using dispatcher = createDispatcher({ backends: [{ backend, concurrency: 1 }] })
  const stopping = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const watched: TicketStore = {
    ...store,
    async heartbeat(fences, leaseMs) {
      const standings = await store.heartbeat(fences, leaseMs)
      if (isStopping) held.resolve()
      return standings
    },
  }
  let isStopping = false
  const neverStops = async (_call: unknown, signal?: AbortSignal) => {
    isStopping = true
    stopping.resolve()
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
  }
  const desk = createTicketDesk({
    store: watched,
    dispatcher: { ...dispatcher, abandon: neverStops },
    leaseMs: 600,
  })
  await desk.start()
  await store.accept(newTicket())
  await simulator.waitForCall()
  await dieWithTicket(store)
  await stopping.promise
  await held.promise
  expect(desk.running).toBe(1)
  await desk.close()
})

/** Another server takes a ticket, begins to ask for an answer, and is never heard of again. */
async function dieWithTicket(store: TicketStore): Promise<void> {
  await store.accept(newTicket())
  const owner = { worker: 'dead', session: 's' }
  const [ticket] = await store.claim({ owner, leaseMs: 1, limit: 1 })
  if (ticket === undefined) throw new Error('nothing was claimed')
  await store.saveProgress(ticket, { call: { backend: 'b1', endpoint: 'chat', key: 'KCPP1', startedAt: 0 } })
}
