import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnavailable } from '../../ticket/store-unavailable.ts'
import { sqliteProblem } from './sqlite-problem.ts'

/**
 * Takes the folder for this process: an exclusive transaction on a database of its own, held open. The kernel lets go
 * of it when the process dies, however it dies; the tickets' own file stays readable for `sqlite3` meanwhile. Gives
 * back what releases it. Not covered: network file systems whose locks do not reach other machines.
 */
export function lockDirectory(directory: string): () => void {
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
        `Another process uses the tickets in ${directory}. Stop it, or give this one a folder of its own (AI_TICKET_DATA_DIR).`,
        error,
      )
    }
    throw problem
  }
}
