import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { EXIT } from '../exit-codes.ts'
import { BatchProblem, reasonOf } from './batch-problem.ts'

export interface OutputLock extends Disposable {
  /** Of this output and line, the same in every run: an Idempotency-Key, without the line's own hash. */
  keyOf(line: number): string
  /** Gives these lines new keys: they failed, and are to be asked again. */
  renewKeys(lines: Iterable<number>): void
  /** Gives all lines new keys: the output starts anew. */
  renewAll(): void
}

const BUSY = 5

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS retries (line INTEGER PRIMARY KEY, number INTEGER NOT NULL);`

/**
 * Takes an output for this process: a small database beside it, held open. The kernel lets go of it when the process
 * dies, however it dies. Not covered: network file systems whose locks do not reach other machines.
 */
export function lockOutput(output: string): OutputLock {
  const file = `${output}.job`
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file, { timeout: 0 })
    // Held from the first write on, over all transactions.
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ${SCHEMA}`)
    database.exec('INSERT INTO jobs SELECT hex(randomblob(12)) WHERE NOT EXISTS (SELECT 1 FROM jobs); COMMIT')
    return keysIn(database)
  } catch (error) {
    database?.close()
    if (error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === BUSY) {
      const message = `Another run writes to ${output}. Wait for it, or name another output.`
      throw new BatchProblem(message, EXIT.temporary, error)
    }
    throw new BatchProblem(`${file} cannot be written (${reasonOf(error)}).`, EXIT.cannotStore, error)
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
      database.exec('BEGIN')
      for (const line of lines) retry.run(line)
      database.exec('COMMIT')
    },
    renewAll() {
      database.exec(`BEGIN; DELETE FROM retries; UPDATE jobs SET id = '${randomUUID()}'; COMMIT`)
      job = readJob()
    },
    [Symbol.dispose]: () => database.close(),
  }
}
