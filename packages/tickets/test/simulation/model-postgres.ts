import { silentLogger, sleep, type Timer } from '@ai-ticket/core'
import { StoreUnavailable, type TicketStore } from '../../src/index.ts'
import { openAnnouncedWrites } from '../../src/stores/postgres/announced-writes.ts'
import {
  CommitUnanswered,
  type Database as Connections,
  createDatabaseTime,
  type NameLock,
  type Queryable,
} from '../../src/stores/postgres/database.ts'
import { createHeldNames } from '../../src/stores/postgres/open-store.ts'
import { postgresProblem } from '../../src/stores/postgres/postgres-problem.ts'
import type { Delivery } from '../../src/ticket/delivery.ts'
import { ModelRows } from './model-rows.ts'
import { createModelStatements } from './model-statements.ts'
import { modelStore, noteCommit } from './model-store.ts'
import { never, type SimulatedProcess } from './process.ts'
import type { Database, WorldParts } from './world.ts'

/** A connection that sends nothing is found out after so long. */
const SILENCE_MS = 12_000
/** The same of one that waits, by its checks. */
const CHECKED_MS = 15_000
/** PostgreSQL lets go of what says nothing. */
const SOON_DEAD_MS = 20_000
const NAME_RETRY_MS = 250
const RESEND_MS = 500

const broken = () => new Error('Connection terminated unexpectedly')

/** The server: rows, a clock of its own, names, and the numbers of transactions. */
class PostgresServer {
  readonly rows = new ModelRows()
  readonly names = new Map<string, object>()
  readonly results = new Map<string, 'committed' | 'aborted'>()
  readonly listeners = new Set<{ readonly process: SimulatedProcess; hear(message: string): void }>()
  shiftMs = 0
  isDown = false
  isFull = false
  #transaction: Promise<unknown> = Promise.resolve()
  #number = 0

  nextNumber = () => String(++this.#number)

  /** One transaction at a time: no row is ever in anybody's way. */
  inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#transaction.then(work)
    this.#transaction = turn.catch(() => {})
    return turn
  }
}

/**
 * PostgreSQL as several servers see it. What tells them of a commit whose answer was lost, and what holds their names, is the
 * product's own; below it is a database that knows a handful of statements.
 */
export function modelPostgres(parts: WorldParts): Database {
  const server = new PostgresServer()
  return {
    open: (process) => openStore(process, server, parts),
    isAway: (process) => server.isDown || server.isFull || process.network !== 'well',
    tickets: async () => [...server.rows.tickets.values()],
    deliveries: async () => [...server.rows.deliveries.values()],
    shiftMs: () => server.shiftMs,
    setFull(full) {
      server.isFull = full
    },
    setClock(byMs) {
      server.shiftMs += byMs
    },
    setDown(down) {
      server.isDown = down
      for (const process of parts.story.processes) if (process.isAlive) process.setNetwork(process.network)
    },
    close: async () => {},
  }
}

async function openStore(
  process: SimulatedProcess,
  server: PostgresServer,
  parts: WorldParts,
): Promise<TicketStore> {
  const { capacity } = parts
  const road = openRoad(process, server, parts)
  await road.travel().catch((error: unknown) => {
    throw postgresProblem(error)
  })
  const time = createDatabaseTime(process.clock)
  const database = connections(process, server, parts)
  await time.adjust(database)
  let isClosed = false
  const writes = await openAnnouncedWrites({
    ...{ database, channel: 'c', clock: process.clock, onStep: () => {}, isOpen: () => !isClosed },
  })
  const names = createHeldNames({
    ...{ database, channel: 'c', logger: silentLogger, nameWaitMs: 30_000, clock: process.clock },
  })
  const statements = createModelStatements({ rows: server.rows, now: time.now, capacity })

  async function call<Value>(work: () => Promise<Value>): Promise<Value> {
    if (isClosed) throw new StoreUnavailable('closed', 'The ticket store is closed.')
    return await work().catch((error: unknown) => {
      throw postgresProblem(error)
    })
  }

  const writer = {
    now: time.now,
    write: <Value>(work: (changed: Parameters<Parameters<typeof writes.write>[0]>[1]) => Value) =>
      call(() => writes.write(async (_at, changed) => work(changed))),
    writeSilently: <Value>(work: () => Value) => call(() => writes.write(async () => work())),
    read: <Value>(work: () => Value) =>
      call(async () => {
        await road.travel()
        return work()
      }),
  }
  return modelStore(
    {
      ...writer,
      holdName: (worker) => call(() => names.hold(worker)),
      checkName: names.check,
      adjust: () => call(() => time.adjust(database)),
      keepFresh: (leaseMs) => call(() => time.keepFresh(database, leaseMs)),
      setMsAgo: time.setMsAgo,
      problem: () =>
        writes.watch.problem({
          look: () => writer.read(() => {}),
          probe: () => writer.writeSilently(() => {}),
        }),
      hub: writes.hub,
      due: writes.due,
      async close() {
        isClosed = true
        await writes.close()
        await names.close()
      },
    },
    statements,
  )
}

/** The way of a statement to the server. */
function openRoad(process: SimulatedProcess, server: PostgresServer, { latencyMs }: WorldParts) {
  return {
    async travel(): Promise<void> {
      if (!process.isAlive) return await never()
      const ms = latencyMs()
      if (ms > 0) await sleep(process.clock, ms)
      // What is sent again arrives, if that is soon.
      for (let waitedMs = 0; process.network === 'silent'; waitedMs += RESEND_MS) {
        if (waitedMs >= SILENCE_MS) throw broken()
        await sleep(process.clock, RESEND_MS)
      }
      if (process.network !== 'well' || server.isDown) throw broken()
    },
  }
}

function connections(process: SimulatedProcess, server: PostgresServer, parts: WorldParts): Connections {
  const { travel } = openRoad(process, server, parts)
  return {
    async query(sql, values) {
      await travel()
      if (sql.includes('clock_timestamp')) {
        process.clockLooks.push(parts.clock.now())
        return [{ now: parts.clock.wallTime() + server.shiftMs }]
      }
      return answerOf(sql, values, server)
    },
    async transaction(work) {
      await travel()
      const end = await server.inTurn(() => commit(work, { process, server, parts }))
      if (end.type === 'dead') return await never()
      if (end.type === 'unanswered') throw new CommitUnanswered(broken())
      return end.value
    },
    async listen(_channel, onMessage) {
      const listener = {
        process,
        hear: (message: string) => {
          if (process.network === 'well') process.clock.setTimer(() => onMessage(message), parts.latencyMs())
        },
      }
      server.listeners.add(listener)
      return { close: async () => void server.listeners.delete(listener) }
    },
    lockName: async (name) => holdForever(name, { process, server, parts }),
    close: async () => {},
  }
}

interface At {
  readonly process: SimulatedProcess
  readonly server: PostgresServer
  readonly parts: WorldParts
}

type End<Value> =
  | { readonly type: 'answered'; readonly value: Value }
  | { readonly type: 'unanswered' }
  | { readonly type: 'dead' }

async function commit<Value>(work: (at: Queryable) => Promise<Value>, at: At): Promise<End<Value>> {
  const { process, server, parts } = at
  const { rows, results } = server
  const number = server.nextNumber()
  const messages: string[] = []
  const transaction: Queryable = {
    async query(sql, values = []) {
      if (sql.includes('pg_notify')) {
        messages.push(String(values[1]))
        return [{ transaction: number }]
      }
      return answerOf(sql, values, server)
    },
  }
  const undo = () => {
    rows.rollBack()
    results.set(number, 'aborted')
  }
  let value: Value
  try {
    value = await work(transaction)
    if (server.isFull) throw Object.assign(new Error('could not extend file'), { code: '53100' })
  } catch (error) {
    undo()
    throw error
  }
  // What changes nothing may end as it likes.
  const end = rows.hasChanged ? parts.fate(process) : 'well'
  if (end === 'die_before' || end === 'lost_before') undo()
  else {
    results.set(number, 'committed')
    noteCommit(parts.story, { at: parts.clock.now(), by: process, changes: rows.commit() })
    for (const listener of server.listeners) for (const message of messages) listener.hear(message)
  }
  if (end === 'die_before' || end === 'die_behind') {
    process.die()
    return { type: 'dead' }
  }
  return end === 'lost_before' || end === 'lost_behind' ? { type: 'unanswered' } : { type: 'answered', value }
}

/** The statements that the product itself sends here. */
function answerOf(sql: string, values: readonly unknown[] | undefined, { rows, results }: PostgresServer) {
  if (sql.includes('pg_xact_status')) {
    const [number, id] = values ?? []
    return [{ status: results.get(String(number)), found: rows.tickets.has(String(id)) }]
  }
  if (sql.startsWith('INSERT INTO callbacks')) {
    const [ids, urls, , , dueAt, , , , pausedAt] = values as unknown[][]
    for (const [index, ticketId] of (ids ?? []).entries()) {
      const delivery: Delivery = {
        ticketId: String(ticketId),
        url: String(urls?.[index]),
        status: 'pending',
        dueAt: Number(dueAt?.[index]),
        pausedAt: Number(pausedAt?.[index]),
        ...{ token: 0, tries: 0, attempts: [] },
      }
      if (rows.deliveries.has(delivery.ticketId)) throw new Error('A ticket has two callbacks.')
      rows.put(rows.deliveries, delivery.ticketId, delivery)
    }
    return []
  }
  throw new Error(`The model of PostgreSQL does not know this statement: ${sql}`)
}

/** As `lockForever` does it: a session has the name; whoever has it not, asks again. */
function holdForever(name: string, { process, server, parts }: At): NameLock {
  let session: object | undefined
  let standing: NameLock['standing'] = 'away'
  let timer: Timer | undefined
  let isClosed = false
  const { clock } = process

  function take(): void {
    timer?.cancel()
    if (isClosed || standing === 'held') return
    if (process.network !== 'well' || server.isDown) standing = 'away'
    else if (server.names.has(name)) standing = 'taken'
    else {
      session = {}
      server.names.set(name, session)
      standing = 'held'
      return
    }
    timer = clock.setTimer(take, NAME_RETRY_MS)
  }

  /** PostgreSQL gives the name up, after so long, if its session is still this one. */
  function freeLater(lost: object | undefined, afterMs: number): void {
    const free = () => {
      if (lost === undefined || server.names.get(name) !== lost) return
      server.names.delete(name)
      process.nameLostAt ??= parts.clock.now()
    }
    if (afterMs === 0) free()
    else parts.clock.setTimer(free, afterMs)
  }

  function lose(): void {
    if (standing !== 'held') return
    standing = 'away'
    take()
  }

  process.watch(() => {
    if (isClosed) return
    if (!process.isAlive) return freeLater(session, 0)
    if (server.isDown || process.network === 'cut') {
      freeLater(session, 0)
      lose()
    } else if (process.network === 'silent') {
      const lost = session
      let isGivenUp = false
      clock.setTimer(() => {
        if (process.network !== 'silent' || session !== lost) return
        isGivenUp = true
        lose()
      }, CHECKED_MS)
      parts.clock.setTimer(() => {
        if (isGivenUp || process.network === 'silent') freeLater(lost, 0)
      }, SOON_DEAD_MS)
    }
  })
  take()
  return {
    get standing() {
      return standing
    },
    async close() {
      isClosed = true
      timer?.cancel()
      if (session !== undefined && server.names.get(name) === session) server.names.delete(name)
    },
  }
}
