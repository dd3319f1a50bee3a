import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { mendCallbacks, mendTickets } from '../mend-statement.ts'
import { migrate } from './migrations.ts'
import { sqliteProblem } from './sqlite-problem.ts'
import { prepareToRead } from './ticket-row.ts'

export interface OpenDatabase {
  readonly database: DatabaseSync
  readonly file: string
  /** Throws `StoreUnavailable` where the path does not lead to the open files any more: what is written would be lost. */
  check(): void
  /**
   * Empties the log into the file, so that what was overwritten there is not in the log any more. False: somebody reads
   * the old state; it does not wait for that.
   */
  emptyLog(): boolean
  close(): void
}

/** Of rows that no statement would find again; see `mendTickets`. */
export interface Mending {
  readonly now: number
  /** Told of the tickets whose rows were mended. */
  readonly onMended: (ticketIds: readonly string[]) => void
}

/** Opens, locks, migrates and mends; throws `StoreUnavailable` with what to do. `:memory:` has no file and no lock. */
export function openDatabase(directory: string, mending: Mending): OpenDatabase {
  if (directory === ':memory:') return openFile(':memory:', mending, () => {})
  const file = join(directory, 'tickets.db')
  let unlock: () => void
  try {
    makeDirectory(directory)
    unlock = lockDirectory(directory)
  } catch (error) {
    throw sqliteProblem(error, directory)
  }
  return openFile(file, mending, unlock)
}

/**
 * Prompts are private. A folder that exists keeps the permissions that its owner gave it. One by one, because Node's
 * recursive mkdir never returns where a folder refuses new ones with ENOENT, as /proc does.
 */
function makeDirectory(directory: string): void {
  const missing: string[] = []
  for (let folder = resolve(directory); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) mkdirSync(folder, { mode: 0o700 })
}

/** Whatever the folder allows, only the owner reads the tickets. SQLite gives its other files the same permissions. */
function keepPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

function openFile(file: string, { now, onMended }: Mending, unlock: () => void): OpenDatabase {
  let database: DatabaseSync | undefined
  let check: () => void
  try {
    if (file !== ':memory:') keepPrivate(file)
    database = new DatabaseSync(file, { timeout: START_TIMEOUT_MS })
    configure(database)
    migrate(database, file)
    onMended(mend(database, now))
    // A write, so that the log is there to be known again.
    database.exec(
      `PRAGMA user_version = ${String(database.prepare('PRAGMA user_version').get()?.user_version)}`,
    )
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    check = file === ':memory:' ? () => {} : watchFiles(file)
  } catch (error) {
    if (database?.isOpen) database.close()
    unlock()
    throw sqliteProblem(error, file)
  }
  const opened = database
  return {
    database: opened,
    file,
    check,
    emptyLog: () => emptyLog(opened),
    close() {
      if (opened.isOpen) opened.close()
      unlock()
    },
  }
}

/** Beside the tickets: the log of what is not in their file yet, and the lock that keeps other processes out. */
const filesOf = (file: string) => [file, `${file}-wal`, join(dirname(file), 'tickets.lock')]

/** A path says nothing of the file that is open. Three looks cost some microseconds, before and after each commit. */
function watchFiles(file: string): () => void {
  const identify = (path: string) => {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stats && `${stats.dev}:${stats.ino}`
  }
  const known = filesOf(file).map((path) => ({ path, identity: identify(path) }))
  return () => {
    for (const { path, identity } of known) {
      if (identify(path) === identity) continue
      throw new StoreUnavailable(
        'broken',
        `${path} was removed or replaced while the server ran. What is written now would be lost, so nothing is accepted: put it back, or start the server again.`,
      )
    }
  }
}

function mend(database: DatabaseSync, now: number): readonly string[] {
  const rows = [mendTickets(now), mendCallbacks(now)].flatMap((sql) => prepareToRead(database, sql).all())
  return rows.map(({ id }) => String(id))
}

/** How long the start waits for another program that holds the file, in milliseconds. */
const START_TIMEOUT_MS = 2_000

/** The same for a statement later on. It stops the whole process, so it is short; writes are tried again. */
const BUSY_TIMEOUT_MS = 20

function emptyLog(database: DatabaseSync): boolean {
  database.exec('PRAGMA busy_timeout = 0')
  try {
    return database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0
  } finally {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  }
}

function configure(database: DatabaseSync): void {
  // Only before the first table does this have an effect; it lets `prune` give space back.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  database.exec('PRAGMA journal_mode = WAL')
  // Each commit waits for the disk: without it a power cut would take back what was answered 202.
  database.exec('PRAGMA synchronous = FULL')
  // What is removed is overwritten: a prompt that is pruned must not stay readable in free pages of the file.
  database.exec('PRAGMA secure_delete = ON')
  database.exec('PRAGMA journal_size_limit = 67108864')
  database.exec('PRAGMA cache_size = -16384')
  // SQLite keeps in memory what it needs to undo an insert with a trigger; in a file it would be twenty writes a row.
  database.exec('PRAGMA temp_store = MEMORY')
}

/**
 * Takes the folder for this process: an exclusive transaction on a database of its own, held open. The kernel releases
 * it when the process dies, however it dies; the tickets' own file stays readable for `sqlite3` meanwhile. Gives
 * back what releases it. Not covered: network file systems whose locks do not reach other machines.
 */
function lockDirectory(directory: string): () => void {
  const file = join(directory, 'tickets.lock')
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    database.exec('BEGIN EXCLUSIVE')
    return () => database?.close()
  } catch (error) {
    database?.close()
    const problem = sqliteProblem(error, file)
    if (problem instanceof StoreUnavailable && problem.problem === 'locked') {
      throw new StoreUnavailable(
        'locked',
        `Another process uses the tickets in ${directory}. Stop it, or give this one a different folder (AI_TICKET_DATA_DIR).`,
        error,
      )
    }
    throw problem
  }
}
