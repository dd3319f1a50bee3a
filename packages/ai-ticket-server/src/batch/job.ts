import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import type { AnnouncedCall } from '@ai-ticket/core'
import { EXIT } from '../program/exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'
import { FinishedLines } from './finished-lines.ts'
import { openResultFile, type ResultFile, readResults } from './results.ts'

interface JobOptions {
  /** `-`: stdin. */
  readonly input: string
  readonly output: string
  readonly errors: string
  /** Deletes earlier results. */
  readonly overwrite: boolean
  /** Lines that failed are open again. */
  readonly retryFailed: boolean
}

/** The files of a batch, held by this process alone, and what they say is finished. */
export interface Job extends AsyncDisposable {
  readonly lock: OutputLock
  readonly answers: ResultFile
  readonly errors: ResultFile
  readonly finished: FinishedLines
}

/** Opens what an earlier run has left, whole or torn. Throws a `BatchProblem` that says what to do. */
export async function openJob({ input, output, errors, overwrite, retryFailed }: JobOptions): Promise<Job> {
  await Promise.all([checkRegular(output), checkRegular(errors)])
  const lock = lockOutput(output)
  const files: ResultFile[] = []
  const close = async () => {
    await Promise.allSettled(files.map((file) => file.close()))
    lock[Symbol.dispose]()
  }
  try {
    const answerFile = await openResultFile(output)
    files.push(answerFile)
    const errorFile = await openResultFile(errors)
    files.push(errorFile)
    await checkDistinct([input, output, errors])
    const finished = new FinishedLines()
    if (overwrite) {
      lock.renewAll()
      await Promise.all([answerFile.clear(), errorFile.clear()])
    } else {
      await readResults(answerFile, { isError: false, finished })
      const failed = retryFailed ? new FinishedLines() : finished
      await readResults(errorFile, { isError: true, finished: failed })
      if (retryFailed) {
        // In this order: a key too many is harmless, one too few would bring the old failure back.
        lock.renewKeys(failed.numbers())
        await errorFile.clear()
      }
    }
    return { lock, answers: answerFile, errors: errorFile, finished, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A device or a pipe cannot be read again to see what is finished, nor be told to write to its disk. */
async function checkRegular(path: string): Promise<void> {
  // What is not there will be created; what cannot be seen fails when it is opened.
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined || stats.isFile()) return
  throw new BatchProblem(
    `${path} is not a regular file. Name a file that can be read again, so that a second run sees what is done.`,
    EXIT.cannotStore,
  )
}

/** Two names can lead to one file, and to clear the output would then clear the input. */
async function checkDistinct(paths: readonly string[]): Promise<void> {
  // What is not there yet is no other file, and what cannot be seen fails when it is opened.
  const found = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)))
  const files = found.flatMap((stats) => (stats?.isFile() ? `${stats.dev}:${stats.ino}` : []))
  if (new Set(files).size === files.length) return
  throw new BatchProblem(
    'Input, output and errors must be three files, and two of these names lead to the same one. Name another output.',
    EXIT.usage,
  )
}

interface OutputLock extends Disposable {
  /** Of this output and line, the same in every run: an Idempotency-Key, without the line's own hash. */
  keyOf(line: number): string
  /** Gives these lines new keys: they failed, and will be asked again. */
  renewKeys(lines: Iterable<number>): void
  /** Gives all lines new keys: the output starts over. */
  renewAll(): void
  readonly calls: CallNotes
}

/**
 * Generations in progress: after a kill, they are stopped by these keys. A note survives the
 * process, but not a power cut, which ends the GPU's work as well; nobody waits for the disk. Never throws: a full disk
 * costs a note, not an answer.
 */
export interface CallNotes {
  add(call: AnnouncedCall): void
  remove(calls: readonly AnnouncedCall[]): void
  /** Those of earlier runs. */
  readonly left: readonly AnnouncedCall[]
}

// Codes of SQLite.
const BUSY = 5
const FULL = 13

const sqliteCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined

/** Later writes wait for the disk. */
const ON_DISK = 'PRAGMA synchronous = FULL'
/** Later writes are safe from a kill at once, and from a power cut a little later. */
const IN_TIME = 'PRAGMA synchronous = NORMAL'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS retries (line INTEGER PRIMARY KEY, number INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, backend TEXT NOT NULL, endpoint TEXT NOT NULL);`

/**
 * Locks an output for this process with a small database beside it, held open. The kernel releases it when the process
 * dies, however it dies. Not covered: network file systems whose locks do not reach other machines.
 */
function lockOutput(output: string): OutputLock {
  const file = `${output}.job`
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    // Held from the first write on, over all transactions.
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE; ${SCHEMA}`)
    database.exec('INSERT INTO jobs SELECT hex(randomblob(12)) WHERE NOT EXISTS (SELECT 1 FROM jobs); COMMIT')
    return keysIn(database)
  } catch (error) {
    database?.close()
    if (sqliteCode(error) === BUSY) {
      const message = `Another run is writing to ${output}. Wait for it, or name another output.`
      throw new BatchProblem(message, EXIT.temporary, error)
    }
    throw new BatchProblem(
      `${file} cannot be written (${reasonOf(error)}). ${sqliteCode(error) === FULL ? 'Make room.' : 'Correct the path of the output, or its permissions.'}`,
      EXIT.cannotStore,
      error,
    )
  }
}

function keysIn(database: DatabaseSync): OutputLock {
  const readJob = () => String(database.prepare('SELECT id FROM jobs').get()?.id)
  const retries = database.prepare('SELECT number FROM retries WHERE line = ?')
  const retry = database.prepare(
    'INSERT INTO retries VALUES (?, 1) ON CONFLICT (line) DO UPDATE SET number = number + 1',
  )
  let job = readJob()
  return {
    keyOf: (line) => `batch-${job}-${line}-${retries.get(line)?.number ?? 0}`,
    renewKeys(lines) {
      database.exec(`${ON_DISK}; BEGIN`)
      for (const line of lines) retry.run(line)
      database.exec('COMMIT')
    },
    renewAll() {
      database.exec(`${ON_DISK}; BEGIN; DELETE FROM retries; UPDATE jobs SET id = '${randomUUID()}'; COMMIT`)
      job = readJob()
    },
    calls: notesIn(database),
    [Symbol.dispose]: () => database.close(),
  }
}

function notesIn(database: DatabaseSync): CallNotes {
  const rows = database.prepare('SELECT backend, endpoint, key FROM calls').all()
  const insert = database.prepare('INSERT OR REPLACE INTO calls (key, backend, endpoint) VALUES (?, ?, ?)')
  const remove = database.prepare('DELETE FROM calls WHERE key = ?')
  const lazily = (write: () => void) => {
    try {
      database.exec(IN_TIME)
      write()
    } catch {
      // The results say what is wrong with the disk, and stop the batch.
    }
  }
  return {
    left: rows.map(({ backend, endpoint, key }) => ({
      backend: String(backend),
      endpoint: String(endpoint),
      key: String(key),
    })),
    add: ({ key, backend, endpoint }) => lazily(() => insert.run(key, backend, endpoint)),
    remove: (calls) =>
      lazily(() => {
        for (const { key } of calls) remove.run(key)
      }),
  }
}
