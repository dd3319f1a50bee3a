import { createTicketId, type NewTicket, openTicket, recordedTicket } from '../../ticket/new-ticket.ts'
import {
  adoptTicket,
  cancelTicket,
  claimTicket,
  expireTicket,
  releaseTicket,
  settleTicket,
} from '../../ticket/ticket.ts'
import type { Accepted, ClaimStanding, TicketStore } from '../../ticket/ticket-store.ts'
import { fullBy } from '../turns.ts'
import type { AnnouncedWrites } from './announced-writes.ts'
import type { GroupCommit } from './group-commit.ts'
import type { TicketTable } from './ticket-table.ts'
import type { TurnTable } from './turn-table.ts'

export interface TicketWriteParts {
  readonly table: TicketTable
  readonly turns: TurnTable
  readonly commits: GroupCommit
  readonly writes: AnnouncedWrites
  readonly read: <Value>(work: () => Value | Promise<Value>) => Promise<Value>
  readonly now: () => number
  readonly capacity: number
}

/** The methods that take tickets in. */
export function arrivals(parts: TicketWriteParts): Pick<TicketStore, 'accept' | 'record'> {
  const { table, commits, writes } = parts
  return {
    accept: (given) =>
      writes.write((changed) => {
        const accepted = acceptOne(given, parts)
        if (accepted.type === 'created') changed(accepted.ticket)
        return accepted
      }),
    async record(entries) {
      // Durability was never promised here: the caller has its answer.
      const tickets = entries.map((entry) => recordedTicket(entry, createTicketId(entry.createdAt)))
      await commits.writeLazily(() => {
        for (const ticket of tickets) table.insert(ticket)
      })
      writes.hub.tell(
        tickets.map(({ id }) => id),
        'event',
      )
    },
  }
}

function acceptOne(given: NewTicket, { table, turns, now, capacity }: TicketWriteParts): Accepted {
  const known = given.idempotency && table.findByKey(given.idempotency)
  if (known && known.until > now()) {
    if (known.fingerprint !== given.idempotency?.fingerprint) return { type: 'conflict' }
    return { type: 'existing', ticket: known.ticket }
  }
  const queued = table.count('queued')
  const { caller, sender = caller } = given
  const countOwn = (limit: number) => turns.countWaiting(sender, limit)
  const limit = fullBy({ capacity, queued, countOwn })
  if (limit) return { type: 'full', queued, capacity, limit }
  if (known) table.forgetKey(known.ticket.id)
  const ticket = openTicket(given, createTicketId(now()), now())
  table.insert(ticket, given.idempotency && { ...given.idempotency, until: now() + given.idempotency.ttlMs })
  return { type: 'created', ticket }
}

/** The methods of workers, for the tickets that they hold. */
export function claims({
  table,
  turns,
  commits,
  writes,
  read,
  now,
}: TicketWriteParts): Pick<
  TicketStore,
  'claim' | 'adopt' | 'heartbeat' | 'saveProgress' | 'settle' | 'release'
> {
  const { transit, change } = writes
  return {
    async claim({ owner, leaseMs, busyBackends = [], ...request }) {
      // A few at a time, for thousands may be due at eight.
      while (await read(() => turns.isAsleep(now()))) await commits.writeLazily(() => turns.wake(now()))
      return await transit(
        () => turns.serve({ ...request, now: now(), busyBackends }),
        (ticket) => claimTicket(ticket, { owner, leaseMs, now: now() }),
      )
    },
    adopt: ({ owner, leaseMs, limit, held = [] }) =>
      transit(
        () => table.orphans({ owner, now: now(), leaseMs, limit, held }),
        (ticket) => adoptTicket(ticket, { owner, leaseMs, now: now() }),
      ),
    heartbeat: (fences, leaseMs) =>
      commits.write(() =>
        fences.map((fence): ClaimStanding => {
          const held = table.extendLease(fence, now() + leaseMs)
          if (held === undefined) return 'lost'
          return held.cancel_requested_at === null ? 'held' : 'cancelling'
        }),
      ),
    saveProgress: (fence, progress) =>
      writes.write((_changed, touched) => {
        const isHeld = table.saveProgress(fence, progress)
        if (isHeld) touched(fence.id)
        return isHeld
      }),
    settle: ({ id, token }, outcome) => change(id, (ticket) => settleTicket(ticket, token, outcome, now())),
    release: ({ id, token }, release) => change(id, (ticket) => releaseTicket(ticket, token, release, now())),
  }
}

/** The methods that end tickets without a worker. */
export function endings({
  table,
  writes,
  read,
  now,
}: TicketWriteParts): Pick<TicketStore, 'cancel' | 'expire'> {
  return {
    async cancel(id) {
      await writes.change(id, (ticket) => cancelTicket(ticket, now()))
      return await read(() => table.find(id))
    },
    async expire() {
      let expired = 0
      // Nothing to do is the usual case, and worth no commit.
      while (await read(() => table.hasExpired(now()))) {
        const some = await writes.transit(
          () => table.expired(now()),
          (ticket) => expireTicket(ticket, now()),
        )
        expired += some.length
      }
      return expired
    },
  }
}
