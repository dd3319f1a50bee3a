import { type Clock, sleep, systemClock, type Timer } from '@ai-ticket/core'
import pg, { type Client } from 'pg'
import {
  CommitUnanswered,
  type Database,
  type Listening,
  type NameLock,
  type Queryable,
  type Row,
} from './database.ts'
import { connectionProblem } from './postgres-problem.ts'

export interface PgDatabaseOptions {
  readonly connectionString: string
  readonly schema: string
  readonly connections: number
  readonly onError: (error: Error) => void
}

/** A statement that takes longer is given up by the server, so that a call never hangs for good. */
const STATEMENT_TIMEOUT_MS = 10_000
/** Longer than the server's own limit: it acts where the server no longer answers at all. */
const SILENCE_MS = STATEMENT_TIMEOUT_MS + 2_000
const CONNECT_TIMEOUT_MS = 5_000
/** For so long a call waits for a connection that PostgreSQL has no room for: others of ours will be free before that. */
const ROOM_MS = 10_000
const ROOM_POLL_MS = 100

export function createPgDatabase(options: PgDatabaseOptions): Database {
  const { connectionString, connections, onError } = options
  const client = {
    connectionString,
    application_name: 'ai-ticket',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  }
  const pool = new pg.Pool({ ...client, ...poolOptions(options), max: connections })
  // A connection that dies in the pool is replaced; unheard, its error would end the process.
  pool.on('error', onError)
  const lasting = new Set<{ close(): Promise<void> }>()
  const keep = async <One extends Listening & { readonly ready: Promise<void> }>(one: One): Promise<One> => {
    lasting.add(one)
    await one.ready
    return one
  }
  return {
    query: (sql, values) => withConnection({ pool, onError }, ({ query }) => query(sql, values)),
    transaction: (work, { isLong = false } = {}) =>
      withConnection({ pool, onError, silenceMs: isLong ? 0 : SILENCE_MS }, (connection) =>
        transact(connection, work),
      ),
    listen: (channel, onMessage) =>
      keep(
        stayConnected({
          connect: () => new pg.Client(client),
          onError,
          async open(connection) {
            connection.on('notification', ({ payload }) => payload !== undefined && onMessage(payload))
            await connection.query(`LISTEN "${channel}"`)
          },
        }),
      ),
    lockName: (name) =>
      keep(lockForever({ connect: () => new pg.Client({ ...client, options: SOON_DEAD }), onError }, name)),
    async close() {
      await Promise.all([...lasting].map((one) => one.close()))
      await pool.end()
    },
  }
}

const poolOptions = ({ schema }: PgDatabaseOptions): pg.PoolConfig => ({
  keepAlive: true,
  statement_timeout: STATEMENT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  // Set with the connection, so that it costs no statement of its own. All our reads follow the order of an index; on a
  // table that was not analysed yet, the planner would rather gather and sort all that a common filter lets pass.
  options: `-c search_path=${schema} -c enable_bitmapscan=off`,
})

/** One connection for as long as the work takes. */
interface Borrowed extends Queryable {
  /** PostgreSQL did not answer a statement: nothing more is asked of this connection, not even to roll back. */
  readonly isBroken: boolean
}

async function withConnection<Value>(
  given: { readonly pool: pg.Pool; readonly onError: (error: Error) => void; readonly silenceMs?: number },
  work: (connection: Borrowed) => Promise<Value>,
): Promise<Value> {
  const { pool, onError, silenceMs = SILENCE_MS } = given
  const connection = await connectPatiently(pool)
  connection.on('error', onError)
  let broken: Error | undefined
  const borrowed: Borrowed = {
    get isBroken() {
      return broken !== undefined
    },
    async query(sql, values) {
      try {
        const statement = { text: sql, values: values && [...values], query_timeout: silenceMs }
        const { rows } = await connection.query<Row>(statement as pg.QueryConfig)
        return rows
      } catch (error) {
        if (!isAnswer(error)) broken = error as Error
        throw error
      }
    },
  }
  try {
    return await work(borrowed)
  } finally {
    connection.removeListener('error', onError)
    connection.release(broken)
  }
}

/** PostgreSQL has understood the statement and refused it; the connection goes on. */
const isAnswer = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.severity !== 'FATAL' && error.severity !== 'PANIC'

/** `too_many_connections`, and the same for one role or database. */
const NO_ROOM = '53300'

async function connectPatiently(pool: pg.Pool): Promise<pg.PoolClient> {
  const clock = systemClock
  for (const until = clock.now() + ROOM_MS; ; ) {
    try {
      return await pool.connect()
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === NO_ROOM
      if (!isFull || clock.now() >= until) throw connectionProblem(error)
    }
    await sleep(clock, ROOM_POLL_MS)
  }
}

async function transact<Value>(
  connection: Borrowed,
  work: (transaction: Queryable) => Promise<Value>,
): Promise<Value> {
  let value: Value
  try {
    await connection.query('BEGIN')
    value = await work(connection)
  } catch (error) {
    // PostgreSQL rolls back whatever a lost connection leaves open; what the work threw is what counts.
    if (!connection.isBroken) await connection.query('ROLLBACK').catch(() => {})
    throw error
  }
  try {
    await connection.query('COMMIT')
  } catch (error) {
    throw connection.isBroken ? new CommitUnanswered(error) : error
  }
  return value
}

interface StayOptions {
  readonly connect: () => Client
  readonly onError: (error: Error) => void
  /** Done on each new connection, before it counts as one. */
  readonly open: (connection: Client) => Promise<void>
  /** The connection is lost; another one is on its way. */
  readonly onLost?: () => void
  /** Asked of a connection that stands, to see that it does. Default: a statement that says nothing. */
  readonly check?: (connection: Client) => Promise<unknown>
  /** Milliseconds until the next check. */
  readonly checkMs?: () => number
  readonly clock?: Clock
}

const RETRY_MS = 1_000
/** A connection that a router dropped says nothing, so it is asked at this interval. */
const CHECK_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000

/**
 * A connection of its own, opened again whenever it ends. What is said to it meanwhile is not heard: who listens must look by
 * itself from time to time, too.
 */
function stayConnected(options: StayOptions): Listening & { readonly ready: Promise<void> } {
  const { connect, onError, clock = systemClock } = options
  const { check = (connection) => connection.query('SELECT 1'), checkMs = () => CHECK_MS } = options
  let client: Client | undefined
  let timer: Timer | undefined
  let isClosed = false

  async function open(): Promise<void> {
    const next = connect()
    client = next
    next.on('error', (error) => lose(next, error))
    next.on('end', () => lose(next, new Error('A connection that was to stay open ended.')))
    try {
      await next.connect()
      await options.open(next)
      timer = clock.setTimer(() => void look(next), checkMs())
    } catch (error) {
      lose(next, error as Error)
    }
  }

  async function look(current: Client): Promise<void> {
    const silent = new Error('A connection that was to stay open is silent.')
    const slow = clock.setTimer(() => lose(current, silent), CHECK_TIMEOUT_MS)
    try {
      await check(current)
      if (client === current) timer = clock.setTimer(() => void look(current), checkMs())
    } catch (error) {
      lose(current, error as Error)
    } finally {
      slow.cancel()
    }
  }

  function lose(lost: Client, error: Error): void {
    if (isClosed || client !== lost) return
    client = undefined
    timer?.cancel()
    options.onLost?.()
    // It is lost already: how it closes changes nothing.
    void lost.end().catch(() => {})
    onError(error)
    timer = clock.setTimer(() => void open(), RETRY_MS)
  }

  return {
    ready: open(),
    async close() {
      isClosed = true
      timer?.cancel()
      // Whether it closes or breaks now, it is gone.
      await client?.end().catch(() => {})
    },
  }
}

/**
 * PostgreSQL asks a machine that says nothing, and drops its connection after 20 s: a name must not be held for hours by one
 * that lost its power.
 */
const SOON_DEAD = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3'

const NAME_RETRY_MS = 250

/** A session lock on a connection of its own. */
function lockForever(
  options: Pick<StayOptions, 'connect' | 'onError'>,
  name: string,
): NameLock & { readonly ready: Promise<void> } {
  let standing: NameLock['standing'] = 'away'
  const take = async (connection: Client) => {
    const sql = 'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS mine'
    const { rows } = await connection.query(sql, [name])
    standing = rows[0]?.mine === true ? 'held' : 'taken'
  }
  const { ready, close } = stayConnected({
    ...options,
    open: take,
    check: async (connection) => (standing === 'held' ? connection.query('SELECT 1') : take(connection)),
    checkMs: () => (standing === 'held' ? CHECK_MS : NAME_RETRY_MS),
    onLost() {
      standing = 'away'
    },
  })
  return {
    ready,
    get standing() {
      return standing
    },
    close,
  }
}
