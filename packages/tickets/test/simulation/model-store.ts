import type { StoreUnavailable, Ticket, TicketStore } from '../../src/index.ts'
import { createDeliveryChanges } from '../../src/stores/change-delivery.ts'
import { cancelTicket, releaseTicket, settleTicket } from '../../src/ticket/ticket.ts'
import type { Hub } from '../../src/ticket/ticket-store.ts'
import type { RowChange } from './model-rows.ts'
import type { ModelStatements } from './model-statements.ts'
import type { SimulatedProcess } from './process.ts'
import { type Story, seenOf } from './story.ts'

/** How a model of a store reads and writes; what it writes is the same for both. */
export interface ModelWriter {
  readonly now: () => number
  /** Durable when it resolves, and announced. */
  write<Value>(work: (changed: (tickets: readonly Ticket[]) => void) => Value): Promise<Value>
  /** The same without an announcement. */
  writeSilently<Value>(work: () => Value): Promise<Value>
  read<Value>(work: () => Value): Promise<Value>
  holdName(worker: string): Promise<void>
  /** Throws where the name is not held. */
  checkName(): void
  /** Looks at the clock that leases go by. */
  adjust(): Promise<void>
  keepFresh(leaseMs: number): Promise<void>
  /** How long ago somebody set that clock. */
  setMsAgo(): number
  problem(): Promise<StoreUnavailable | undefined>
  readonly hub: Hub
  readonly due: Hub
  close(): Promise<void>
}

export function modelStore(writer: ModelWriter, statements: ModelStatements): TicketStore {
  const { now, write, writeSilently, read } = writer
  const change = (id: string, transition: (ticket: Ticket) => Ticket | undefined) =>
    write((changed) => {
      const after = statements.change(id, transition)
      if (after) changed([after])
      return after !== undefined
    })
  const transit = (work: () => readonly Ticket[]) =>
    write((changed) => {
      const tickets = work()
      changed(tickets)
      return tickets
    })
  const store: TicketStore = {
    durability: 'a model',
    holdName: writer.holdName,
    accept: (given) =>
      write((changed) => {
        const accepted = statements.accept(given)
        if (accepted.type === 'created') changed([accepted.ticket])
        return accepted
      }),
    record: (entries) => writeSilently(() => statements.record(entries)),
    async claim(request) {
      await writer.keepFresh(request.leaseMs)
      return await transit(() => {
        writer.checkName()
        return statements.claim(request)
      })
    },
    async adopt(request) {
      await writer.adjust()
      writer.checkName()
      if (writer.setMsAgo() < request.leaseMs) return []
      // As in the product: the clock may be set while the statement is on its way, and the holders do not know it yet.
      const at = now()
      return await transit(() => statements.adopt(request, at))
    },
    async heartbeat(fences, leaseMs) {
      await writer.adjust()
      return await writeSilently(() => statements.heartbeat(fences, leaseMs))
    },
    saveProgress: (fence, progress) => writeSilently(() => statements.saveProgress(fence, progress)),
    settle: ({ id, token }, outcome) => change(id, (ticket) => settleTicket(ticket, token, outcome, now())),
    release: ({ id, token }, release) => change(id, (ticket) => releaseTicket(ticket, token, release, now())),
    async cancel(id) {
      await change(id, (ticket) => cancelTicket(ticket, now()))
      return await store.get(id)
    },
    expire: async () => (await transit(statements.expire)).length,
    get: (id) => read(() => statements.get(id)),
    peek: async (id) => {
      const ticket = await store.get(id)
      if (ticket === undefined) return undefined
      const { state, token, runs } = ticket
      const isCancelling = state.status === 'in_progress' && state.cancelRequestedAt !== undefined
      return { status: state.status, token, runs, isCancelling }
    },
    list: (query) => read(() => statements.list(query)),
    async listRows() {
      throw new Error('Nobody asks a model for rows.')
    },
    async saveMinutes() {
      throw new Error('Nobody counts minutes in a model.')
    },
    async listMinutes() {
      throw new Error('Nobody asks a model for minutes.')
    },
    stats: async () => ({ byStatus: await read(statements.byStatus) }),
    nextDueInMs: () => read(statements.nextDueInMs),
    remove: (id) => writeSilently(() => statements.remove(id)),
    prune: (request) => writeSilently(() => statements.prune(request)),
    problem: writer.problem,
    subscribe: writer.hub.subscribe,
    callbacks: modelCallbacks(writer, statements),
    close: writer.close,
    [Symbol.asyncDispose]: () => store.close(),
  }
  return store
}

function modelCallbacks(writer: ModelWriter, statements: ModelStatements): TicketStore['callbacks'] {
  const { now, writeSilently, read, due } = writer
  return {
    claim: async (request) => {
      const dueInMs = await read(statements.nextDeliveryInMs)
      if (dueInMs === undefined || dueInMs > 0) return []
      return await writeSilently(() => statements.claimDeliveries(request))
    },
    ...createDeliveryChanges(
      (ticketId, transition) => writeSilently(() => statements.changeDelivery(ticketId, transition)),
      { due, now },
    ),
    find: (ids) => read(() => statements.findDeliveries(ids)),
    nextDueInMs: () => read(statements.nextDeliveryInMs),
    pending: () => read(statements.pendingDeliveries),
    async dead() {
      throw new Error('Nobody counts given-up callbacks in a model.')
    },
    subscribe: due.subscribe,
  }
}

/** Writes into the story what a commit has changed. */
export function noteCommit(
  story: Story,
  { at, by, changes }: { at: number; by: SimulatedProcess; changes: readonly RowChange[] },
): void {
  for (const { before, after } of changes) {
    story.commits.push({
      at,
      by,
      ...(before && { before: seenOf(before) }),
      ...(after && { after: seenOf(after) }),
    })
  }
}
