import { type Clock, type Logger, sleep, systemClock } from '@ai-ticket/core'
import { createTicketId, type NewTicket, recordedTicket } from '../../ticket/new-ticket.ts'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { storableTime } from '../../ticket/stored-value.ts'
import {
  adoptTicket,
  cancelTicket,
  expireTicket,
  releaseTicket,
  settleTicket,
  type Ticket,
} from '../../ticket/ticket.ts'
import {
  type Accepted,
  type ClaimStanding,
  MINUTES_AT_ONCE,
  type TicketStats,
  type TicketStore,
} from '../../ticket/ticket-store.ts'
import { prune } from '../prune-limits.ts'
import { statsOf } from '../ticket-columns.ts'
import { acceptTickets } from './accept-tickets.ts'
import { type AnnouncedWrites, openAnnouncedWrites } from './announced-writes.ts'
import { createPostgresCallbacks } from './callbacks.ts'
import { claimTickets, extendLeases, wakeTickets } from './claim-tickets.ts'
import type { Database, DatabaseTime, NameLock, Queryable } from './database.ts'
import { createRoom, groupCalls } from './limit-calls.ts'
import { listRows, listTickets } from './list-query.ts'
import { postgresProblem } from './postgres-problem.ts'
import { storableText } from './ticket-row.ts'
import {
  countPrunable,
  findTicket,
  insertTickets,
  lockExpired,
  lockOrphans,
  lockTickets,
  peekTicket,
  readNextDueInMs,
  readPruneLimits,
  removeFinished,
  removeTicket,
  saveProgress,
  updateTickets,
} from './ticket-table.ts'

export interface StoreParts {
  readonly database: Database
  readonly time: DatabaseTime
  readonly capacity: number
  readonly channel: string
  readonly durability: string
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is durable: a test dies here. */
  readonly onStep: (step: 'commit' | 'committed') => void
  readonly close: () => Promise<void>
  readonly logger: Logger
  /** Milliseconds to wait for a process that has the name of ours. */
  readonly nameWaitMs: number
}

/** The parts that all methods of the store share. */
interface StoreContext extends StoreParts {
  readonly names: HeldNames
  readonly writes: AnnouncedWrites
  /** Every call goes through here: none after the end, each with an error that says what to do. */
  call<Value>(work: () => Promise<Value>): Promise<Value>
}

export async function openStore(parts: StoreParts): Promise<TicketStore> {
  const { database, time, channel, durability, onStep } = parts
  const busy = new Set<Promise<unknown>>()
  let isClosed = false
  let closing: Promise<void> | undefined

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

  async function shutDown(): Promise<void> {
    await Promise.allSettled(busy)
    await writes.close()
    await names.close()
    await parts.close()
  }

  const writes = await openAnnouncedWrites({ database, channel, onStep, isOpen: () => !isClosed })
  const { write, hub, due, watch } = writes
  const names = createHeldNames(parts)
  const context: StoreContext = { ...parts, writes, names, call }
  const store: TicketStore = {
    durability,
    holdName: (worker) => call(() => names.hold(worker)),
    ...arrivals(context),
    ...claims(context),
    ...endings(context),
    ...overviews(context),
    ...minutesIn(context),
    problem: () =>
      watch.problem({
        look: () => call(() => database.query('SELECT version FROM versions')),
        probe: () => call(() => write((at) => at.query(PROBE))),
      }),
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
}

/** Changes nothing, and writes a row all the same. */
const PROBE = 'UPDATE versions SET version = version'

interface HeldNames {
  hold(worker: string): Promise<void>
  /** Throws `StoreUnavailable` unless every name that was asked for is held. */
  check(): void
  close(): Promise<void>
}

export function createHeldNames(
  parts: Pick<StoreParts, 'database' | 'channel' | 'logger' | 'nameWaitMs'> & { readonly clock?: Clock },
): HeldNames {
  const { database, channel, logger, nameWaitMs, clock = systemClock } = parts
  const locks = new Map<string, NameLock>()

  async function hold(worker: string): Promise<void> {
    if (locks.has(worker)) return
    const lock = await database.lockName(`ai_ticket ${channel} worker ${worker}`)
    locks.set(worker, lock)
    let isTold = false
    // A PostgreSQL that goes away meanwhile does not say who has the name: that is waited for as well.
    for (let waitedMs = 0; lock.standing !== 'held'; waitedMs += NAME_POLL_MS) {
      if (lock.standing === 'taken' && !isTold) {
        isTold = true
        logger.warn('Another server has the name of this one; waiting for it to end.', {
          worker,
          wait_ms: nameWaitMs,
        })
      }
      if (waitedMs >= nameWaitMs) {
        locks.delete(worker)
        const problem = problemOf(worker, lock)
        await lock.close()
        throw problem
      }
      await sleep(clock, NAME_POLL_MS)
    }
  }

  return {
    hold,
    check() {
      for (const [worker, lock] of locks) if (lock.standing !== 'held') throw problemOf(worker, lock)
    },
    async close() {
      await Promise.all([...locks.values()].map((lock) => lock.close()))
    },
  }
}

const NAME_POLL_MS = 100

const NAME_AWAY =
  'The connection to PostgreSQL that holds the name of this server was lost. It is retried automatically; no ticket is claimed until then.'

const problemOf = (worker: string, { standing }: NameLock) =>
  standing === 'away'
    ? new StoreUnavailable('unreachable', NAME_AWAY)
    : new StoreUnavailable(
        'locked',
        `Another server on this PostgreSQL has the name "${worker}". Stop it, or give each server a different name (AI_TICKET_WORKER).`,
      )

/** The methods that take tickets in. */
function arrivals(context: StoreContext): Pick<TicketStore, 'accept' | 'record'> {
  const { database, time, capacity, writes, call } = context
  const room = createRoom({ capacity, count: () => countQueued(database), now: time.now })
  const acceptInGroup = groupCalls<NewTicket, Accepted>({
    isCommon: (error) => error instanceof StoreUnavailable || postgresProblem(error) !== error,
    run: async (group) => {
      const queued = await room.queued()
      const accepted = await writes.write(async (at, changed) => {
        const results = await acceptTickets(at, group, { queued, capacity, now: time.now() })
        changed(results.flatMap((result) => (result.type === 'created' ? [result.ticket] : [])))
        return results
      })
      room.accepted(accepted.filter(({ type }) => type === 'created').length)
      return accepted
    },
  })
  return {
    accept: (given) => call(() => acceptInGroup(given)),
    record: (entries) =>
      call(async () => {
        const rows = entries.map((entry) => ({
          ticket: recordedTicket(entry, createTicketId(entry.createdAt)),
        }))
        await insertTickets(database, rows)
        // For readers of this process only: the others would pay for each event.
        writes.hub.tell(
          rows.map(({ ticket }) => ticket.id),
          'event',
        )
      }),
  }
}

/** The methods of workers, for the tickets that they hold. */
function claims(
  context: StoreContext,
): Pick<TicketStore, 'claim' | 'adopt' | 'heartbeat' | 'saveProgress' | 'settle' | 'release'> {
  const { database, time, writes, names, call } = context
  const change = createChange(context)
  return {
    claim: ({ owner, leaseMs, busyBackends = [], ...request }) =>
      call(async () => {
        await time.keepFresh(database, leaseMs)
        await wakeTickets(database, time.now())
        return await writes.write(async (at, changed) => {
          names.check()
          const lease = { owner, leaseMs, now: time.now() }
          const claimed = await claimTickets(at, { ...request, lease, busyBackends })
          changed(claimed)
          return claimed
        })
      }),
    adopt: ({ owner, leaseMs, limit, held = [] }) =>
      call(async () => {
        await time.adjust(database)
        names.check()
        // Leases by the old time look as if they were over: their holders get the time to extend them by the new one.
        if (time.setMsAgo() < leaseMs) return []
        const now = time.now()
        return await transit(writes, {
          lock: (at) => lockOrphans(at, { owner, now, leaseMs, limit, held }),
          transition: (ticket) => adoptTicket(ticket, { owner, leaseMs, now }),
        })
      }),
    heartbeat: (fences, leaseMs) =>
      call(async (): Promise<readonly ClaimStanding[]> => {
        if (fences.length === 0) return []
        await time.adjust(database)
        return await extendLeases(database, fences, storableTime(time.now() + leaseMs))
      }),
    saveProgress: (fence, progress) =>
      call(() =>
        writes.write(async (at, _changed, touched) => {
          const isHeld = await saveProgress(at, fence, progress)
          if (isHeld) touched(fence.id)
          return isHeld
        }),
      ),
    settle: ({ id, token }, outcome) =>
      change(id, (ticket) => settleTicket(ticket, token, outcome, time.now())),
    release: ({ id, token }, release) =>
      change(id, (ticket) => releaseTicket(ticket, token, release, time.now())),
  }
}

/** The methods that end tickets without a worker. */
function endings(context: StoreContext): Pick<TicketStore, 'cancel' | 'expire'> {
  const { database, time, writes, call } = context
  const change = createChange(context)
  return {
    async cancel(id) {
      await change(id, (ticket) => cancelTicket(ticket, time.now()))
      return await call(() => findTicket(database, id))
    },
    expire: () =>
      call(async () => {
        const now = time.now()
        // Nothing to do is the usual case, and worth no transaction.
        const due = "SELECT 1 FROM tickets WHERE status = 'queued' AND expires_at <= $1 LIMIT 1"
        let expired = 0
        while ((await database.query(due, [now])).length > 0) {
          const some = await transit(writes, {
            lock: (at) => lockExpired(at, now),
            transition: (ticket) => expireTicket(ticket, now),
          })
          expired += some.length
          // Those that another server ends at this moment are locked.
          if (some.length === 0) break
        }
        return expired
      }),
  }
}

/** The methods that read tickets, and remove those that are no longer kept. */
function overviews({
  database,
  time,
  call,
}: StoreContext): Pick<
  TicketStore,
  'get' | 'peek' | 'list' | 'listRows' | 'stats' | 'nextDueInMs' | 'prune' | 'remove'
> {
  return {
    get: (id) => call(() => findTicket(database, id)),
    peek: (id) => call(() => peekTicket(database, id)),
    list: (query) => call(() => listTickets(database, query)),
    listRows: (query) => call(() => listRows(database, query)),
    stats: () => call(() => readStats(database)),
    nextDueInMs: () => call(() => readNextDueInMs(database, time.now())),
    prune: (request) =>
      prune(request, {
        limits: (asked) => call(() => readPruneLimits(database, asked)),
        count: (limits) => call(() => countPrunable(database, limits)),
        removeSome: (limits) => call(() => removeFinished(database, limits)),
        removeMinutes: (before) => call(() => database.query('DELETE FROM minutes WHERE at < $1', [before])),
      }),
    remove: (id) => call(() => removeTicket(database, id)),
  }
}

/** What each server has counted. */
function minutesIn({ database, call }: StoreContext): Pick<TicketStore, 'saveMinutes' | 'listMinutes'> {
  return {
    saveMinutes: (minutes) =>
      call(async () => {
        await database.query(
          `INSERT INTO minutes (at, worker, counts) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
            ON CONFLICT (at, worker) DO UPDATE SET counts = excluded.counts`,
          [
            minutes.map(({ at }) => at),
            minutes.map(({ worker }) => storableText(worker)),
            minutes.map(({ counts }) => counts),
          ],
        )
      }),
    listMinutes: ({ worker, from, before }) =>
      call(async () => {
        const rows = await database.query(
          'SELECT at, counts FROM minutes WHERE at >= $1 AND at < $2 AND worker = $3 ORDER BY at LIMIT $4',
          [from, before, storableText(worker), MINUTES_AT_ONCE],
        )
        return rows.map(({ at, counts }) => ({ worker, at: Number(at), counts: String(counts) }))
      }),
  }
}

/** Writes what a transition makes of each ticket that `lock` finds; gives back those to which it applies. */
const transit = (
  { write }: AnnouncedWrites,
  {
    lock,
    transition,
  }: {
    readonly lock: (at: Queryable) => Promise<readonly Ticket[]>
    readonly transition: Transition
  },
): Promise<readonly Ticket[]> =>
  write(async (at, changed) => {
    const tickets = (await lock(at)).flatMap((before) => transition(before) ?? [])
    await updateTickets(at, tickets)
    changed(tickets)
    return tickets
  })

type Transition = (ticket: Ticket) => Ticket | undefined

/** Applies a transition to one ticket; false where it does not apply. */
const createChange =
  ({ writes, call }: StoreContext) =>
  (id: string, transition: Transition): Promise<boolean> =>
    call(async () => {
      const changed = await transit(writes, { lock: (at) => lockTickets(at, [id]), transition })
      return changed.length > 0
    })

/** How many differences a reader adds up; more of them are made one row a status. */
const MOST_ROWS = 1_000

/** Servers that add up at the same time take different rows; a reader sees the rows of before or those of after. */
const ADD_UP = `WITH gone AS (
    DELETE FROM counts WHERE ctid = ANY (ARRAY(SELECT ctid FROM counts LIMIT 50000 FOR UPDATE SKIP LOCKED))
    RETURNING status, number
  ) INSERT INTO counts SELECT status, sum(number) FROM gone GROUP BY status`

async function countQueued(at: Queryable): Promise<number> {
  return (await readCounts(at)).get('queued') ?? 0
}

async function readStats(at: Queryable): Promise<TicketStats> {
  const counted = await readCounts(at)
  const [oldest] = await at.query(
    "SELECT created_at FROM tickets WHERE status = 'queued' ORDER BY seq LIMIT 1",
  )
  return statsOf(counted, oldest)
}

async function readCounts(at: Queryable): Promise<ReadonlyMap<unknown, number>> {
  const rows = await at.query(
    'SELECT status, sum(number) AS number, count(*) AS rows FROM counts GROUP BY status',
  )
  if (rows.reduce((sum, { rows: number }) => sum + Number(number), 0) > MOST_ROWS) await at.query(ADD_UP)
  return new Map(rows.map(({ status, number }) => [status, Number(number)]))
}
