import { type Clock, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import { deliveriesOf } from '../../ticket/delivery.ts'
import { createTicketId, type NewTicket, openTicket, recordedTicket } from '../../ticket/new-ticket.ts'
import {
  adoptTicket,
  cancelTicket,
  claimTicket,
  expireTicket,
  extendLease,
  noteProgress,
  releaseTicket,
  settleTicket,
  type Ticket,
} from '../../ticket/ticket.ts'
import { createHub } from '../../ticket/ticket-changes.ts'
import type { Accepted, ClaimStanding, TicketStore } from '../../ticket/ticket-store.ts'
import { warnOfMended } from '../mend-statement.ts'
import { createCallbackTable, createSqliteCallbacks } from './callbacks.ts'
import { createGroupCommit, storeClosed } from './group-commit.ts'
import { openDatabase } from './open-database.ts'
import { sqliteProblem } from './sqlite-problem.ts'
import { createTicketTable } from './ticket-table.ts'

export interface SqliteStoreOptions {
  /** Made with mode 0700 where it does not exist. `:memory:` keeps nothing: for tests. */
  readonly directory: string
  /** Hears of damaged tickets that were mended at the start. Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
  /** So many waiting tickets are taken; the next one is refused. Default 100,000. */
  readonly capacity?: number
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is on disk: a test dies here. */
  readonly onStep?: (step: 'commit' | 'committed') => void
}

/**
 * Tickets in one SQLite file, `tickets.db`, of one process. A commit waits for the disk (WAL, `synchronous=FULL`), so that
 * what was accepted survives a killed process and a power cut; it does not survive the loss of the disk. Reading it with
 * `sqlite3` meanwhile is fine.
 *
 * The calls block for as long as the disk takes to sync, once for all that is asked in the same turn.
 *
 * Throws `StoreUnavailable` (problem `locked`, `read_only`, `broken`, `full`, `unreachable`) where the folder cannot be
 * used; later failures reject the call with it, and the next call tries anew.
 */
export function createSqliteStore(options: SqliteStoreOptions): TicketStore {
  const { directory, clock = systemClock, capacity = 100_000, onStep = () => {} } = options
  const { logger = silentLogger } = options
  const now = () => Math.trunc(clock.wallTime())
  const opened = openDatabase(directory, {
    now: now(),
    onMended: (ids) => warnOfMended(logger, ids),
  })
  const { database, file } = opened
  const explain = (error: unknown) => sqliteProblem(error, file)
  const table = createTicketTable(database)
  const callbackTable = createCallbackTable(database)
  const commits = createGroupCommit({ database, explain, onStep })
  const hub = createHub()
  const due = createHub()
  let isClosed = false

  async function read<Value>(work: () => Value): Promise<Value> {
    if (isClosed) throw storeClosed()
    try {
      return work()
    } catch (error) {
      throw explain(error)
    }
  }

  /** Tells those who listen, once it is on disk. */
  async function writeAndTell<Value>(work: (changed: (ticket: Ticket) => void) => Value): Promise<Value> {
    let tickets: Ticket[] = []
    const value = await commits.write(() => {
      // The group may be run again without its faulty member.
      tickets = []
      const result = work((ticket) => tickets.push(ticket))
      // With the end of a ticket, whoever wants to be told of it.
      for (const delivery of deliveriesOf(tickets)) callbackTable.insert(delivery)
      return result
    })
    hub.tell(tickets.map(({ id }) => id))
    due.tell(deliveriesOf(tickets).map(({ ticketId }) => ticketId))
    return value
  }

  /** Applies a transition to one ticket; false where it does not apply. */
  const change = (id: string, transition: (ticket: Ticket) => Ticket | undefined): Promise<boolean> =>
    writeAndTell((changed) => {
      const before = table.find(id)
      const after = before && transition(before)
      if (after) {
        table.update(after)
        changed(after)
      }
      return after !== undefined
    })

  function acceptOne(given: NewTicket): Accepted {
    const known = given.idempotency && table.findByKey(given.idempotency)
    if (known && known.until > now()) {
      if (known.fingerprint !== given.idempotency?.fingerprint) return { type: 'conflict' }
      return { type: 'existing', ticket: known.ticket }
    }
    const queued = table.count('queued')
    if (queued >= capacity) return { type: 'full', queued }
    if (known) table.forgetKey(known.ticket.id)
    const ticket = openTicket(given, createTicketId(now()), now())
    table.insert(
      ticket,
      given.idempotency && { ...given.idempotency, until: now() + given.idempotency.ttlMs },
    )
    return { type: 'created', ticket }
  }

  const store: TicketStore = {
    durability:
      directory === ':memory:'
        ? 'in memory only: nothing survives the end of the process'
        : `${file}: survives a killed process and a power cut, not the loss of the disk`,
    accept: (given) =>
      writeAndTell((changed) => {
        const accepted = acceptOne(given)
        if (accepted.type === 'created') changed(accepted.ticket)
        return accepted
      }),
    async record(entries) {
      // Nobody was promised that it lasts: the answer has been given.
      await commits.writeLazily(() => {
        for (const entry of entries) {
          table.insert(recordedTicket(entry, createTicketId(entry.createdAt)))
        }
      })
    },
    claim: ({ owner, leaseMs, limit, busyBackends = [] }) =>
      writeAndTell((changed) =>
        table.due({ now: now(), limit, busyBackends }).flatMap((ticket) => {
          const claimed = claimTicket(ticket, { owner, leaseMs, now: now() })
          if (!claimed) return []
          table.update(claimed)
          changed(claimed)
          return [claimed]
        }),
      ),
    adopt: ({ owner, leaseMs, limit }) =>
      writeAndTell((changed) =>
        table.orphans({ owner, now: now(), limit }).flatMap((ticket) => {
          const adopted = adoptTicket(ticket, { owner, leaseMs, now: now() })
          if (!adopted) return []
          table.update(adopted)
          changed(adopted)
          return [adopted]
        }),
      ),
    heartbeat: (fences, leaseMs) =>
      commits.write(() =>
        fences.map(({ id, token }): ClaimStanding => {
          const before = table.find(id)
          const after = before && extendLease(before, token, now() + leaseMs)
          if (after?.state.status !== 'in_progress') return 'lost'
          table.update(after)
          return after.state.cancelRequestedAt === undefined ? 'held' : 'cancelling'
        }),
      ),
    saveProgress: ({ id, token }, progress) => change(id, (ticket) => noteProgress(ticket, token, progress)),
    settle: ({ id, token }, outcome) => change(id, (ticket) => settleTicket(ticket, token, outcome, now())),
    release: ({ id, token }, release) => change(id, (ticket) => releaseTicket(ticket, token, release, now())),
    async cancel(id) {
      await change(id, (ticket) => cancelTicket(ticket, now()))
      return store.get(id)
    },
    async expire() {
      // Nothing to do is the usual case, and worth no commit.
      if ((await read(() => table.expired(now()))).length === 0) return 0
      return await writeAndTell((changed) => {
        const ended = table.expired(now()).flatMap((ticket) => expireTicket(ticket, now()) ?? [])
        for (const ticket of ended) {
          table.update(ticket)
          changed(ticket)
        }
        return ended.length
      })
    },
    get: (id) => read(() => table.find(id)),
    list: (query) => read(() => table.list(query)),
    stats: () => read(() => table.stats()),
    nextDueAt: () => read(() => table.nextDueAt()),
    async prune(request) {
      const limits = await read(() => table.pruneLimits(request))
      if (request.dryRun) return await read(() => table.countPrunable(limits))
      let removed = 0
      for (;;) {
        // In small steps, so that nobody waits long behind them.
        const step = await commits.write(() => table.remove(limits))
        removed += step
        if (step === 0) return removed
      }
    },
    subscribe: hub.subscribe,
    callbacks: createSqliteCallbacks({ callbacks: callbackTable, tickets: table, commits, due, now, read }),
    async close() {
      if (isClosed) return
      isClosed = true
      commits.close()
      opened.close()
    },
    [Symbol.asyncDispose]: () => store.close(),
  }
  return store
}
