import type { JobAttempt } from 'pg-boss'
import { claimTicket, type Fence, isFinished, type Lease, type Ticket } from '../../ticket/ticket.ts'
import { type ClaimStanding, rankOf } from '../../ticket/ticket-store.ts'
import type { Queryable } from './database.ts'
import type { JobQueue, TakenJob } from './job-queue.ts'
import {
  lockTickets,
  lockWithoutJob,
  noteAttempt,
  noteJobs,
  type RowChange,
  type StoredTicket,
  updateTickets,
} from './ticket-table.ts'

export interface ClaimContext {
  readonly queue: JobQueue
  readonly lease: Lease
  readonly limit: number
  readonly busyBackends: readonly string[]
}

/**
 * Fetches as many jobs as there are free slots, and claims their tickets. The ticket is the truth and the job a hint: one
 * whose ticket was cancelled, expired or removed meanwhile is dropped here, and the next one is fetched for it.
 */
export async function claimTickets(at: Queryable, context: ClaimContext): Promise<readonly Ticket[]> {
  const { queue, lease, limit, busyBackends } = context
  await queueDueTickets(at, queue, lease.now)
  const claimed: (RowChange & Pick<StoredTicket, 'seq'>)[] = []
  while (claimed.length < limit) {
    const jobs = await queue.take(at, { limit: limit - claimed.length, ignoreGroups: busyBackends })
    if (jobs.length === 0) break
    const stored = new Map(
      (
        await lockTickets(
          at,
          jobs.map(({ ticket }) => ticket),
        )
      ).map((one) => [one.ticket.id, one]),
    )
    for (const job of jobs) {
      const one = stored.get(job.ticket)
      const ticket = one && claimTicket(one.ticket, lease)
      if (ticket) claimed.push({ ticket, seq: one.seq, hasJob: true, attempt: job.retryCount })
      else await putAside(at, queue, job, one)
    }
  }
  await updateTickets(at, claimed)
  return claimed.toSorted(inOrder).map(({ ticket }) => ticket)
}

/** Tickets that begin later, and retries, get their job when their time has come. */
async function queueDueTickets(at: Queryable, queue: JobQueue, now: number): Promise<void> {
  const due = await lockWithoutJob(at, now)
  await queue.add(at, due)
  await noteJobs(
    at,
    due.map(({ id }) => id),
    true,
  )
}

async function putAside(at: Queryable, queue: JobQueue, job: TakenJob, one?: StoredTicket): Promise<void> {
  if (one?.ticket.state.status === 'in_progress') {
    // It runs, for so long that pg-boss took it for dead. Its lease says otherwise, so the job stays with it.
    return await noteAttempt(at, one.ticket.id, job.retryCount)
  }
  const attempt: JobAttempt = { id: job.id, retryCount: job.retryCount }
  if (one === undefined || isFinished(one.ticket)) return await queue.finish(at, [attempt])
  await queue.drop(at, [attempt])
  await noteJobs(at, [one.ticket.id], false)
}

/** The rank of a claimed ticket is that of its creation; what a retry lost by waiting no longer matters. */
const inOrder = (one: Pick<StoredTicket, 'ticket' | 'seq'>, other: Pick<StoredTicket, 'ticket' | 'seq'>) =>
  rankOf(one.ticket.createdAt, one.ticket.priority) - rankOf(other.ticket.createdAt, other.ticket.priority) ||
  one.seq - other.seq

/** All claims of a server in one statement, as often as it likes: this is not announced. */
export async function extendLeases(
  at: Queryable,
  fences: readonly Fence[],
  leaseUntil: number,
): Promise<readonly ClaimStanding[]> {
  const rows = await at.query(
    `UPDATE tickets SET lease_until = $3 FROM unnest($1::text[], $2::integer[]) AS held (id, token)
      WHERE tickets.id = held.id AND tickets.token = held.token AND status = 'in_progress'
      RETURNING tickets.id, tickets.token, cancel_requested_at`,
    [fences.map(({ id }) => id), fences.map(({ token }) => token), leaseUntil],
  )
  const standings = new Map<string, ClaimStanding>(
    rows.map((row) => [`${row.id} ${row.token}`, row.cancel_requested_at === null ? 'held' : 'cancelling']),
  )
  return fences.map(({ id, token }) => standings.get(`${id} ${token}`) ?? 'lost')
}
