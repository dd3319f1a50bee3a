import type { DatabaseSync } from 'node:sqlite'
import { type Clock, type Logger, silentLogger, systemClock } from '@ai-ticket/core'
import { createWriteWatch, type WriteWatch } from '../../ticket/store-unavailable.ts'
import { MINUTES_AT_ONCE, type TicketStore } from '../../ticket/ticket-store.ts'
import { warnOfMended } from '../mend-statement.ts'
import { prune } from '../prune-limits.ts'
import { createAnnouncedWrites } from './announced-writes.ts'
import { createCallbackTable, createSqliteCallbacks } from './callbacks.ts'
import { createGroupCommit, type GroupCommit, storeClosed } from './group-commit.ts'
import { type OpenDatabase, openDatabase } from './open-database.ts'
import { sqliteProblem } from './sqlite-problem.ts'
import { createTicketTable } from './ticket-table.ts'
import { arrivals, claims, endings, type TicketWriteParts } from './ticket-writes.ts'
import { createTurnTable } from './turn-table.ts'

/** For `createSqliteStore`. */
export interface SqliteStoreOptions {
  /** Made with mode 0700 where it does not exist. `:memory:` keeps nothing: for tests. */
  readonly directory: string
  /** Hears of damaged tickets that were mended at the start. Default: silent. */
  readonly logger?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
  /** How many tickets may wait; the next one is refused. Default 100,000. */
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
 * used; later failures reject the call with it, and the next call tries again.
 */
export function createSqliteStore(options: SqliteStoreOptions): TicketStore {
  const { directory, clock = systemClock, capacity = 100_000, onStep = () => {} } = options
  const { logger = silentLogger } = options
  const now = () => Math.trunc(clock.wallTime())
  const opened = openDatabase(directory, {
    now: now(),
    onMended: (ids) => warnOfMended(logger, ids),
  })
  const { database, file, check } = opened
  const explain = (error: unknown) => sqliteProblem(error, file)
  const watch = createWriteWatch()
  const commits = createGroupCommit({ database, clock, check, explain, onStep, watch })
  const durability = durabilityOf(directory, file)
  try {
    return storeOn({ opened, commits, watch, explain, now, capacity, durability })
  } catch (error) {
    // Its tables are damaged in a way that only the statements meet.
    opened.close()
    throw explain(error)
  }
}

interface OpenParts {
  readonly opened: OpenDatabase
  readonly commits: GroupCommit
  readonly watch: WriteWatch
  readonly explain: (error: unknown) => unknown
  readonly now: () => number
  readonly capacity: number
  readonly durability: string
}

function storeOn({ opened, commits, watch, explain, now, capacity, durability }: OpenParts): TicketStore {
  const { database } = opened
  const table = createTicketTable(database)
  const turns = createTurnTable(database)
  const callbackTable = createCallbackTable(database)
  const writes = createAnnouncedWrites({ commits, table, callbackTable })
  const { due } = writes
  let isClosed = false

  async function read<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    if (isClosed) throw storeClosed()
    try {
      return await work()
    } catch (error) {
      // A list is read in several steps, and the store can close between two of them.
      throw isClosed ? storeClosed() : explain(error)
    }
  }

  const look = () =>
    read(() => {
      opened.check()
      return table.count('queued')
    })
  const probe = () => commits.write(() => database.exec(PROBE))
  const parts: TicketWriteParts = { table, turns, commits, writes, read, now, capacity }
  const store: TicketStore = {
    durability,
    // The lock of the folder holds every name in it.
    holdName: async () => {},
    ...arrivals(parts),
    ...claims(parts),
    ...endings(parts),
    ...overviews(parts, opened),
    ...minutesIn(database, parts),
    problem: () => watch.problem({ look, probe }),
    subscribe: writes.hub.subscribe,
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

/** The methods that read tickets, and remove those that are no longer kept. */
function overviews(
  { table, commits, read, now }: TicketWriteParts,
  { database, emptyLog }: Pick<OpenDatabase, 'database' | 'emptyLog'>,
): Pick<TicketStore, 'get' | 'peek' | 'list' | 'listRows' | 'stats' | 'nextDueInMs' | 'prune' | 'remove'> {
  // The log may hold removed prompts, of an earlier process too.
  let isLogEmpty = false
  return {
    get: (id) => read(() => table.find(id)),
    peek: (id) => read(() => table.peek(id)),
    list: (query) => read(() => table.list(query)),
    listRows: (query) => read(() => table.listRows(query)),
    stats: () => read(() => table.stats()),
    nextDueInMs: () => read(() => table.nextDueInMs(now())),
    async prune(request) {
      const removed = await prune(request, {
        limits: (asked) => read(() => table.pruneLimits(asked)),
        count: (limits) => read(() => table.countPrunable(limits)),
        removeSome: (limits) => commits.write(() => table.remove(limits)),
        removeMinutes: (before) =>
          commits.writeLazily(() => database.prepare('DELETE FROM minutes WHERE at < ?').run(before)),
      })
      if (request.dryRun || (removed === 0 && isLogEmpty)) return removed
      // What fails here is tried again at the next prune: the tickets are gone already.
      isLogEmpty = await read(emptyLog).catch(() => false)
      return removed
    },
    async remove(id) {
      const isRemoved = await commits.write(() => table.removeOne(id))
      if (isRemoved) isLogEmpty = await read(emptyLog).catch(() => false)
      return isRemoved
    },
  }
}

/** Minutes are no promise to anybody: a power cut may take the last ones, and nobody waits for the disk. */
function minutesIn(
  database: DatabaseSync,
  { commits, read }: TicketWriteParts,
): Pick<TicketStore, 'saveMinutes' | 'listMinutes'> {
  return {
    saveMinutes: (minutes) =>
      commits.writeLazily(() => {
        const insert = database.prepare(
          'INSERT OR REPLACE INTO minutes (at, worker, counts) VALUES (?, ?, ?)',
        )
        for (const { at, worker, counts } of minutes) insert.run(at, worker, counts)
      }),
    listMinutes: ({ worker, from, before }) =>
      read(() =>
        database
          .prepare(
            'SELECT at, counts FROM minutes WHERE at >= ? AND at < ? AND worker = ? ORDER BY at LIMIT ?',
          )
          .all(from, before, worker, MINUTES_AT_ONCE)
          .map(({ at, counts }) => ({ worker, at: Number(at), counts: String(counts) })),
      ),
  }
}

/** Changes nothing, and writes a page all the same. */
const PROBE = "UPDATE counts SET number = number WHERE status = 'queued'"

const durabilityOf = (directory: string, file: string): string =>
  directory === ':memory:'
    ? 'memory only: nothing survives the end of the process'
    : `${file}: survives a killed process and a power cut, not the loss of the disk`
