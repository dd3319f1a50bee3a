import { type Clock, type Logger, silentLogger } from '@ai-ticket/core'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import type { TicketStore } from '../../ticket/ticket-store.ts'
import { mendCallbacks, mendTickets, warnOfMended } from '../mend-statement.ts'
import type { Database } from './database.ts'
import { createDatabaseTime, timeOf } from './database.ts'
import { migrate } from './migrations.ts'
import { openStore } from './open-store.ts'
import { createPgDatabase } from './pg-database.ts'
import { postgresProblem } from './postgres-problem.ts'

/** For `createPostgresStore`. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly connectionString: string
  /** Lower case letters, digits and `_`. Default `ai_ticket`. */
  readonly schema?: string
  /** Connections for tickets; one more listens, one holds the name. Default 8. */
  readonly connections?: number
  /** How many tickets may wait; servers that accept at the same moment may exceed it slightly. Default 100,000. */
  readonly capacity?: number
  /** Hears of connections that broke by themselves, and of damaged tickets that were mended at the start. Default: silent. */
  readonly logger?: Logger
  /** Default: the clock of the database, so that servers whose clocks disagree agree on leases. */
  readonly clock?: Clock
  /**
   * Milliseconds to wait for another process that has the name of this one's worker: one that ends, in a rolling update.
   * Default 30,000.
   */
  readonly nameWaitMs?: number
  /** Called at each step of a write, before (`commit`) and after (`committed`) it is durable: a test dies here. */
  readonly onStep?: (step: 'commit' | 'committed') => void
}

/**
 * Tickets in a PostgreSQL (13 or newer) that any number of servers share. Survives whatever that PostgreSQL survives: with its defaults a killed
 * process and a power cut, with a standby or backups the loss of a disk as well.
 *
 * Makes its schemas and brings them to the newest version. Rejects with `StoreUnavailable` where PostgreSQL cannot be
 * reached or refuses; so does each later call while it is away, and the next one after it is back succeeds. After a connection
 * that broke during the commit PostgreSQL is asked what became of it; where it does not say within 5 s, the problem is
 * `unknown`: give an idempotency key where a second ticket would do harm.
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<TicketStore> {
  const { connectionString, schema = 'ai_ticket', connections = 8, logger = silentLogger } = options
  checkSchema(schema)
  const onError = (error: Error) => logger.warn('PostgreSQL', { error: error.message })
  const database = createPgDatabase({ connectionString, schema, connections, onError })
  return await createStoreOn({
    ...options,
    schema,
    database,
    durability: `PostgreSQL, schema ${schema}: survives what PostgreSQL survives, by its defaults a killed process and a power cut`,
  })
}

/** The same on any PostgreSQL. Closes the database with the store. */
export async function createStoreOn(
  options: Omit<PostgresStoreOptions, 'connectionString'> & {
    readonly schema: string
    readonly database: Database
    readonly durability: string
  },
): Promise<TicketStore> {
  const { schema, database, clock, capacity = 100_000, onStep = () => {}, durability } = options
  const { logger = silentLogger, nameWaitMs = 30_000 } = options
  const time = clock ? timeOf(clock) : createDatabaseTime()
  try {
    await checkEncoding(database)
    await migrate(database, schema)
    await time.adjust(database)
    await mend(database, time.now(), logger)
    return await openStore({
      database,
      time,
      capacity,
      onStep,
      durability,
      channel: schema,
      logger,
      nameWaitMs,
      close: () => database.close(),
    })
  } catch (error) {
    await database.close()
    throw postgresProblem(error)
  }
}

/** Another one refuses the first text that it cannot hold, long after the start. */
async function checkEncoding(database: Database): Promise<void> {
  const [row] = await database.query('SHOW server_encoding')
  if (row?.server_encoding === 'UTF8') return
  throw new StoreUnavailable(
    'broken',
    `The database of AI_TICKET_DATABASE_URL has the encoding ${row?.server_encoding}, which cannot hold every text. Name one with the encoding UTF8.`,
  )
}

async function mend(database: Database, now: number, logger: Logger): Promise<void> {
  for (const sql of [mendTickets(now), mendCallbacks(now)]) {
    const mended = await database.query(sql)
    warnOfMended(
      logger,
      mended.map(({ id }) => String(id)),
    )
  }
}

function checkSchema(schema: string): void {
  if (/^[a-z_][a-z0-9_]{0,40}$/.test(schema)) return
  throw new TypeError(`schema: "${schema}" must be lower case letters, digits and "_", at most 41 of them.`)
}
