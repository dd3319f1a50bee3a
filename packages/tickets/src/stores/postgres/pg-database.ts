import { type Clock, systemClock, type Timer } from '@ai-ticket/core'
import pg, { type Client } from 'pg'
import type { Database, Listening, Queryable, Row } from './database.ts'

export interface PgDatabaseOptions {
  readonly connectionString: string
  readonly schema: string
  readonly connections: number
  readonly onError: (error: Error) => void
}

/** A statement that takes longer is given up by the server, so that a call never hangs for good. */
const STATEMENT_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 5_000

export function createPgDatabase({
  connectionString,
  schema,
  connections,
  onError,
}: PgDatabaseOptions): Database {
  const client = {
    connectionString,
    application_name: 'ai-ticket',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  }
  const pool = new pg.Pool({
    ...client,
    max: connections,
    keepAlive: true,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // Longer than the server's own limit: it acts where the server no longer answers at all.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    // Set with the connection, so that it costs no statement of its own. All our reads follow the order of an index; on a
    // table that was not analysed yet, the planner would rather gather and sort all that a common filter lets pass.
    options: `-c search_path=${schema} -c enable_bitmapscan=off`,
  })
  // A connection that dies in the pool is replaced; unheard, its error would end the process.
  pool.on('error', onError)
  const listenings = new Set<Listening>()
  return {
    query: async (sql, values) => rowsOf(await pool.query(sql, values && [...values])),
    async transaction(work) {
      const connection = await pool.connect()
      connection.on('error', onError)
      let broken: Error | undefined
      try {
        await connection.query('BEGIN')
        const value = await work(queryable(connection))
        await connection.query('COMMIT')
        return value
      } catch (error) {
        await connection.query('ROLLBACK').catch((problem: Error) => {
          broken = problem
        })
        throw error
      } finally {
        connection.removeListener('error', onError)
        connection.release(broken)
      }
    },
    async listen(channel, onMessage) {
      const listening = listenForever({ connect: () => new pg.Client(client), channel, onMessage, onError })
      listenings.add(listening)
      await listening.ready
      return listening
    },
    async close() {
      await Promise.all([...listenings].map((listening) => listening.close()))
      await pool.end()
    },
  }
}

const queryable = (connection: pg.PoolClient): Queryable => ({
  query: async (sql, values) => rowsOf(await connection.query(sql, values && [...values])),
})

const rowsOf = ({ rows }: pg.QueryResult<Row>): readonly Row[] => rows

interface ListenOptions {
  readonly connect: () => Client
  readonly channel: string
  readonly onMessage: (message: string) => void
  readonly onError: (error: Error) => void
  readonly clock?: Clock
}

const RETRY_MS = 1_000
/** A connection that a router dropped says nothing, so it is asked at this interval. */
const CHECK_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000

/**
 * A connection of its own that only listens, opened again whenever it ends. What is said meanwhile is not heard: who
 * listens must look by itself from time to time, too.
 */
function listenForever(options: ListenOptions): Listening & { readonly ready: Promise<void> } {
  const { connect, channel, onMessage, onError, clock = systemClock } = options
  let client: Client | undefined
  let timer: Timer | undefined
  let isClosed = false

  async function open(): Promise<void> {
    const next = connect()
    client = next
    next.on('notification', ({ payload }) => payload !== undefined && onMessage(payload))
    next.on('error', (error) => lose(next, error))
    next.on('end', () => lose(next, new Error('The listening connection ended.')))
    try {
      await next.connect()
      await next.query(`LISTEN "${channel}"`)
      timer = clock.setTimer(() => void check(next), CHECK_MS)
    } catch (error) {
      lose(next, error as Error)
    }
  }

  async function check(current: Client): Promise<void> {
    const slow = clock.setTimer(
      () => lose(current, new Error('The listening connection is silent.')),
      CHECK_TIMEOUT_MS,
    )
    try {
      await current.query('SELECT 1')
      if (client === current) timer = clock.setTimer(() => void check(current), CHECK_MS)
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
    void lost.end().catch(() => {})
    onError(error)
    timer = clock.setTimer(() => void open(), RETRY_MS)
  }

  return {
    ready: open(),
    async close() {
      isClosed = true
      timer?.cancel()
      await client?.end().catch(() => {})
    },
  }
}
