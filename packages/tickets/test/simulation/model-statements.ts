import type {
  Accepted,
  AdoptRequest,
  ClaimRequest,
  ClaimStanding,
  Delivery,
  DeliveryClaim,
  Fence,
  HistoryEntry,
  NewTicket,
  Progress,
  PruneRequest,
  Ticket,
  TicketQuery,
  TicketStatus,
} from '../../src/index.ts'
import { hostOf } from '../../src/ticket/delivery.ts'
import { createTicketId, openTicket, prefixOf, recordedTicket } from '../../src/ticket/new-ticket.ts'
import {
  adoptTicket,
  claimTicket,
  expireTicket,
  isFinished,
  TICKET_STATUSES,
} from '../../src/ticket/ticket.ts'
import { rankOf, type WaitingTicket } from '../../src/ticket/ticket-store.ts'
import type { ModelRows } from './model-rows.ts'

/** What the statements of a store do to its rows, in the plainest form. What may happen to a ticket is decided by the product. */
export type ModelStatements = ReturnType<typeof createModelStatements>

export interface StatementParts {
  readonly rows: ModelRows
  readonly now: () => number
  readonly capacity: number
}

export const createModelStatements = (parts: StatementParts) => ({
  ...arrivals(parts),
  ...claims(parts),
  ...overviews(parts),
  ...callbacks(parts),
})

const inOrder = (one: Ticket, other: Ticket) =>
  rankOf(one.createdAt, one.priority) - rankOf(other.createdAt, other.priority)

function arrivals({ rows, now, capacity }: StatementParts) {
  return {
    accept(given: NewTicket): Accepted {
      const { idempotency } = given
      const name = JSON.stringify([idempotency?.scope, idempotency?.key])
      const known = idempotency && rows.keys.get(name)
      const earlier = known && rows.tickets.get(known.ticketId)
      if (earlier && known.until > now()) {
        if (known.fingerprint !== idempotency.fingerprint) return { type: 'conflict' }
        return { type: 'existing', ticket: earlier }
      }
      const queued = [...rows.tickets.values()].filter(({ state }) => state.status === 'queued').length
      if (queued >= capacity) return { type: 'full', queued, capacity, limit: 'store' }
      const ticket = openTicket(given, createTicketId(now()), now())
      rows.putTicket(ticket.id, ticket)
      if (idempotency) {
        const until = now() + idempotency.ttlMs
        rows.put(rows.keys, name, { ...idempotency, ticketId: ticket.id, until })
      }
      return { type: 'created', ticket }
    },
    record(entries: readonly HistoryEntry[]): void {
      for (const entry of entries) {
        const ticket = recordedTicket(entry, createTicketId(entry.createdAt))
        rows.putTicket(ticket.id, ticket)
      }
    },
  }
}

function claims({ rows, now }: StatementParts) {
  /** Writes what a transition makes of the first ones that it applies to. */
  const transit = (limit: number, transition: (ticket: Ticket) => Ticket | undefined): Ticket[] => {
    const found: Ticket[] = []
    for (const before of [...rows.tickets.values()].sort(inOrder)) {
      if (found.length >= limit) break
      const after = transition(before)
      if (after === undefined) continue
      rows.putTicket(after.id, after)
      found.push(after)
    }
    return found
  }
  return {
    claim({ owner, leaseMs, limit, choose }: ClaimRequest) {
      const claimed = (ticket: Ticket) => claimTicket(ticket, { owner, leaseMs, now: now() })
      if (choose === undefined) return transit(limit, claimed)
      const ids = [...rows.tickets.keys()]
      const due = [...rows.tickets.values()].sort(inOrder).filter(claimed)
      const line = due
        .slice(0, 64)
        .map(({ id, createdAt, priority, event, caller, sender = caller }): WaitingTicket => {
          const prefix = prefixOf(event)
          return {
            ...{ seq: ids.indexOf(id), sender, rank: rankOf(createdAt, priority), priority },
            ...(prefix !== undefined && { prefix }),
          }
        })
      const chosen = new Set(choose(line).map(({ seq }) => ids[seq]))
      return transit(limit, (ticket) => (chosen.has(ticket.id) ? claimed(ticket) : undefined))
    },
    /** `at`: the time by which leases are over. */
    adopt: ({ owner, leaseMs, limit, held = [] }: AdoptRequest, at: number) =>
      transit(limit, (ticket) =>
        held.includes(ticket.id) ? undefined : adoptTicket(ticket, { owner, leaseMs, now: at }),
      ),
    expire: () => transit(Number.POSITIVE_INFINITY, (ticket) => expireTicket(ticket, now())),
    heartbeat: (fences: readonly Fence[], leaseMs: number) =>
      fences.map(({ id, token }): ClaimStanding => {
        const ticket = rows.tickets.get(id)
        if (ticket?.state.status !== 'in_progress' || ticket.token !== token) return 'lost'
        rows.putTicket(id, { ...ticket, state: { ...ticket.state, leaseUntil: now() + leaseMs } })
        return ticket.state.cancelRequestedAt === undefined ? 'held' : 'cancelling'
      }),
    saveProgress({ id, token }: Fence, { call, partial }: Progress): boolean {
      const ticket = rows.tickets.get(id)
      if (ticket?.state.status !== 'in_progress' || ticket.token !== token) return false
      rows.putTicket(id, {
        ...ticket,
        ...(partial === undefined ? {} : { partial }),
        state: { ...ticket.state, ...(call === undefined ? {} : { call }) },
      })
      return true
    },
    /** Undefined: it does not apply. */
    change(id: string, transition: (ticket: Ticket) => Ticket | undefined): Ticket | undefined {
      const before = rows.tickets.get(id)
      const after = before && transition(before)
      if (after) rows.putTicket(id, after)
      return after
    },
  }
}

function overviews({ rows, now }: StatementParts) {
  const all = () => [...rows.tickets.values()]
  return {
    get: (id: string) => rows.tickets.get(id),
    list({ createdBefore = Number.POSITIVE_INFINITY, limit = 50 }: TicketQuery) {
      const found = all().filter(({ createdAt }) => createdAt < createdBefore)
      return { tickets: found.sort((one, other) => other.createdAt - one.createdAt).slice(0, limit) }
    },
    byStatus() {
      const counts = Object.fromEntries(TICKET_STATUSES.map((status) => [status, 0])) as Record<
        TicketStatus,
        number
      >
      for (const { state } of rows.tickets.values()) counts[state.status] += 1
      return counts
    },
    nextDueInMs(): number | undefined {
      let next: number | undefined
      for (const { state } of rows.tickets.values()) {
        if (state.status !== 'queued') continue
        // A wait that begins in the future: the clock was set back, and it is due.
        const isBefore = state.pausedAt !== undefined && state.pausedAt > now()
        const dueInMs = isBefore ? 0 : state.notBefore - now()
        next = Math.min(next ?? dueInMs, dueInMs)
      }
      return next
    },
    prune({ finishedBefore = 0, deadLettersBefore = finishedBefore, keep }: PruneRequest): number {
      const finishedAt = ({ state }: Ticket) => ('finishedAt' in state ? state.finishedAt : 0)
      const isDeadLetter = ({ kind, state }: Ticket) => kind === 'ticket' && state.status === 'failed'
      const finished = all().filter(isFinished)
      const others = finished
        .filter((ticket) => !isDeadLetter(ticket))
        .sort((one, other) => finishedAt(other) - finishedAt(one))
      const doomed = [
        ...finished.filter((ticket) => isDeadLetter(ticket) && finishedAt(ticket) < deadLettersBefore),
        ...others.filter(
          (ticket, index) => finishedAt(ticket) < finishedBefore || index >= (keep ?? index + 1),
        ),
      ]
      for (const { id } of doomed) {
        rows.putTicket(id, undefined)
        rows.put(rows.deliveries, id, undefined)
      }
      return doomed.length
    },
    remove(id: string): boolean {
      const ticket = rows.tickets.get(id)
      if (ticket === undefined || !isFinished(ticket)) return false
      rows.putTicket(id, undefined)
      rows.put(rows.deliveries, id, undefined)
      return true
    },
  }
}

function callbacks({ rows, now }: StatementParts) {
  const pending = () => [...rows.deliveries.values()].filter(({ status }) => status === 'pending')
  const isDue = ({ dueAt, pausedAt }: Delivery) => dueAt <= now() || pausedAt > now()
  return {
    insertDelivery: (delivery: Delivery) => rows.put(rows.deliveries, delivery.ticketId, delivery),
    claimDeliveries({ limit, leaseMs, busyHosts = [] }: DeliveryClaim) {
      const due = pending()
        .filter((one) => isDue(one) && !busyHosts.includes(hostOf(one.url)))
        .sort((one, other) => one.dueAt - other.dueAt)
        .slice(0, limit)
      return due.flatMap((one) => {
        const delivery = { ...one, token: one.token + 1, dueAt: now() + leaseMs, pausedAt: now() }
        rows.put(rows.deliveries, one.ticketId, delivery)
        const ticket = rows.tickets.get(one.ticketId)
        return ticket ? [{ delivery, ticket }] : []
      })
    },
    changeDelivery(ticketId: string, transition: (delivery: Delivery) => Delivery): Delivery | undefined {
      const before = rows.deliveries.get(ticketId)
      const after = before && transition(before)
      if (after) rows.put(rows.deliveries, ticketId, after)
      return after
    },
    findDeliveries: (ids: readonly string[]) =>
      new Map(ids.flatMap((id) => [rows.deliveries.get(id) ?? []].flat().map((one) => [id, one] as const))),
    nextDeliveryInMs(): number | undefined {
      const waits = pending().map((one) => (isDue(one) ? 0 : one.dueAt - now()))
      return waits.length === 0 ? undefined : Math.min(...waits)
    },
    pendingDeliveries: () => pending().length,
  }
}
