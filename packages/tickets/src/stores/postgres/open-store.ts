import { createTicketId, type NewTicket, recordedTicket } from '../../ticket/new-ticket.ts'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import {
  adoptTicket,
  cancelTicket,
  expireTicket,
  isFinished,
  noteProgress,
  releaseTicket,
  settleTicket,
  type Ticket,
} from '../../ticket/ticket.ts'
import type { Accepted, ClaimStanding, TicketStore } from '../../ticket/ticket-store.ts'
import { acceptTickets } from './accept-tickets.ts'
import { openAnnouncedWrites } from './announced-writes.ts'
import { createPostgresCallbacks } from './callbacks.ts'
import { claimTickets, extendLeases } from './claim-tickets.ts'
import type { Database, DatabaseTime, Queryable } from './database.ts'
import type { JobQueue } from './job-queue.ts'
import { createRoom, groupCalls } from './limit-calls.ts'
import { listTickets } from './list-query.ts'
import { postgresProblem } from './postgres-problem.ts'
import { countQueued, readStats } from './ticket-counts.ts'
import {
  countPrunable,
  findTicket,
  insertTickets,
  lockExpired,
  lockOrphans,
  lockTickets,
  type RowChange,
  readNextDueAt,
  readPruneLimits,
  removeFinished,
  type StoredTicket,
  updateTickets,
} from './ticket-table.ts'

export interface StoreParts {
  readonly database: Database
  readonly queue: JobQueue
  readonly time: DatabaseTime
  readonly capacity: number
  readonly channel: string
  readonly durability: string
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is durable: a test dies here. */
  readonly onStep: (step: 'commit' | 'committed') => void
  readonly close: () => Promise<void>
}

export async function openStore(parts: StoreParts): Promise<TicketStore> {
  const { database, queue, time, capacity, channel, durability, onStep } = parts
  const room = createRoom({ capacity, count: () => countQueued(database), now: time.now })
  const busy = new Set<Promise<unknown>>()
  let isClosed = false
  let closing: Promise<void> | undefined

  /** Every call goes through here: none after the end, each with an error that says what to do. */
  async function call<Value>(work: () => Promise<Value>): Promise<Value> {
    if (isClosed) throw new StoreUnavailable('closed', 'The ticket store is closed.')
    const working = work().catch((error: unknown) => {
      throw postgresProblem(error)
    })
    busy.add(working)
    try {
      return await working
    } finally {
      busy.delete(working)
    }
  }

  const writes = await openAnnouncedWrites({ database, channel, onStep, isOpen: () => !isClosed })
  const { write, hub, due } = writes

  /** Applies a transition to one ticket; false where it does not apply. `settle` then sees to its job. */
  const change = (
    id: string,
    transition: (ticket: Ticket) => Ticket | undefined,
    seeToJob: (at: Queryable, before: StoredTicket, after: Ticket) => Promise<Partial<RowChange>> = keepJob,
  ): Promise<boolean> =>
    call(() =>
      write(async (at, changed) => {
        const [before] = await lockTickets(at, [id])
        const after = before && transition(before.ticket)
        if (!after) return false
        await updateTickets(at, [rowChange(before, after, await seeToJob(at, before, after))])
        changed([after])
        return true
      }),
    )

  const finishJob = async (at: Queryable, { job }: StoredTicket) => {
    if (job) await queue.finish(at, [job])
    return {}
  }

  /** One that keeps its place keeps its job; another gets a new one when it is due. */
  const releaseJob = async (at: Queryable, before: StoredTicket, after: Ticket) => {
    const { job } = before
    if (isFinished(after) || job === undefined) return finishJob(at, before)
    const isInPlace = after.retries === 0 && after.state.status === 'queued'
    if (isInPlace && after.state.notBefore <= after.createdAt) {
      await queue.giveBack(at, job)
      return {}
    }
    await queue.drop(at, [job])
    return { hasJob: false }
  }

  const acceptInGroup = groupCalls<NewTicket, Accepted>({
    isCommon: (error) => error instanceof StoreUnavailable || postgresProblem(error) !== error,
    run: async (group) => {
      const queued = await room.queued()
      const accepted = await write(async (at, changed) => {
        const results = await acceptTickets(at, group, { queue, queued, capacity, now: time.now() })
        changed(results.flatMap((result) => (result.type === 'created' ? [result.ticket] : [])))
        return results
      })
      room.accepted(accepted.filter(({ type }) => type === 'created').length)
      return accepted
    },
  })

  const store: TicketStore = {
    durability,
    accept: (given) => call(() => acceptInGroup(given)),
    record: (entries) =>
      call(async () => {
        const rows = entries.map((entry) => ({
          ticket: recordedTicket(entry, createTicketId(entry.createdAt)),
          hasJob: false,
        }))
        await insertTickets(database, rows)
      }),
    claim: ({ owner, leaseMs, limit, busyBackends = [] }) =>
      call(() =>
        write(async (at, changed) => {
          const lease = { owner, leaseMs, now: time.now() }
          const claimed = await claimTickets(at, { queue, lease, limit, busyBackends })
          changed(claimed)
          return claimed
        }),
      ),
    adopt: ({ owner, leaseMs, limit }) =>
      call(async () => {
        await time.adjust(database)
        return await write(async (at, changed) => {
          const now = time.now()
          const changes = (await lockOrphans(at, { owner, now, limit })).flatMap((before) => {
            const after = adoptTicket(before.ticket, { owner, leaseMs, now })
            return after ? [rowChange(before, after)] : []
          })
          await updateTickets(at, changes)
          const adopted = changes.map(({ ticket }) => ticket)
          changed(adopted)
          return adopted
        })
      }),
    heartbeat: (fences, leaseMs) =>
      call(async (): Promise<readonly ClaimStanding[]> => {
        if (fences.length === 0) return []
        return await extendLeases(database, fences, storableTime(time.now() + leaseMs))
      }),
    saveProgress: ({ id, token }, progress) => change(id, (ticket) => noteProgress(ticket, token, progress)),
    settle: ({ id, token }, outcome) =>
      change(id, (ticket) => settleTicket(ticket, token, outcome, time.now()), finishJob),
    release: ({ id, token }, release) =>
      change(id, (ticket) => releaseTicket(ticket, token, release, time.now()), releaseJob),
    async cancel(id) {
      // The job of a waiting ticket stays where it is: whoever fetches it finds the ticket ended, and drops it.
      await change(id, (ticket) => cancelTicket(ticket, time.now()))
      return store.get(id)
    },
    expire: () =>
      call(async () => {
        const now = time.now()
        // Nothing to do is the usual case, and worth no transaction.
        const due = "SELECT 1 FROM tickets WHERE status = 'queued' AND expires_at <= $1 LIMIT 1"
        if ((await database.query(due, [now])).length === 0) return 0
        return await write(async (at, changed) => {
          const changes = (await lockExpired(at, now)).flatMap((before) => {
            const after = expireTicket(before.ticket, now)
            return after ? [rowChange(before, after)] : []
          })
          await updateTickets(at, changes)
          changed(changes.map(({ ticket }) => ticket))
          return changes.length
        })
      }),
    get: (id) => call(() => findTicket(database, id)),
    list: (query) => call(() => listTickets(database, query)),
    stats: () => call(() => readStats(database)),
    nextDueAt: () => call(() => readNextDueAt(database)),
    async prune(request) {
      const limits = await call(() => readPruneLimits(database, request))
      if (request.dryRun) return await call(() => countPrunable(database, limits))
      let removed = 0
      for (;;) {
        // In small steps, so that nobody waits long behind them.
        const step = await call(() => removeFinished(database, limits))
        removed += step
        if (step === 0) return removed
      }
    },
    subscribe: hub.subscribe,
    callbacks: createPostgresCallbacks({ database, now: time.now, due, call, write }),
    close() {
      isClosed = true
      closing ??= shutDown()
      return closing
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
  return store

  async function shutDown(): Promise<void> {
    await Promise.allSettled(busy)
    await writes.close()
    await parts.close()
  }
}

const keepJob = async () => ({})

/** A ticket that runs keeps the claim on its job; one that does not has none. */
function rowChange(before: StoredTicket, ticket: Ticket, change: Partial<RowChange> = {}): RowChange {
  const runs = ticket.state.status === 'in_progress' && before.job !== undefined
  return {
    ticket,
    hasJob: true,
    ...(runs ? { attempt: before.job.retryCount } : {}),
    ...change,
  }
}
