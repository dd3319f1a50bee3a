import type { Clock } from '@ai-ticket/core'
import { Gauge, type Registry } from '@prometheus-io/client'
import { inTime, STATUSES, type TicketFigures } from './metrics.ts'

/** Gauges of the tickets, read when somebody asks. A store that fails is seen as that, and does not fail the others. */
export function showTickets(registry: Registry, source: TicketFigures, clock: Clock): () => Promise<void> {
  const registers = [registry]
  const available = new Gauge({
    name: 'ai_ticket_store_available',
    help: '1 while the ticket store answers and takes what is written, else 0',
    registers,
  })
  const tickets = new Gauge({
    name: 'ai_ticket_tickets',
    help: 'Tickets in the store, recorded events among them, by status',
    labelNames: ['status'],
    registers,
  })
  const overdue = new Gauge({
    name: 'ai_ticket_tickets_overdue_seconds',
    help: 'For how long the first waiting ticket could have run; 0 where none is due',
    registers,
  })
  const pending = new Gauge({
    name: 'ai_ticket_callbacks_pending',
    help: 'Callbacks that are to be delivered yet',
    registers,
  })
  const readOnce = shared(() =>
    Promise.all([source.stats(), source.nextDueInMs(), source.pendingCallbacks(), source.problem?.()]),
  )
  return async () => {
    try {
      const [{ byStatus }, dueInMs, callbacks, problem] = await inTime(readOnce(), clock)
      for (const status of STATUSES) tickets.set({ status }, byStatus[status])
      overdue.set(Math.max(0, -(dueInMs ?? 0)) / 1_000)
      pending.set(callbacks)
      available.set(problem === undefined ? 1 : 0)
    } catch {
      // `GET /health` says and logs why.
      available.set(0)
      for (const gauge of [tickets, overdue, pending]) gauge.reset()
    }
  }
}

/** Asks again only when the last answer has come: a store that is slow is not asked by every scrape. */
function shared<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let asked: Promise<Value> | undefined
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined
    })
    return asked
  }
}
