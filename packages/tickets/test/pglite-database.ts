import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import type { Database, NameLock, Queryable, Row } from '../src/stores/postgres/database.ts'

let shared: Promise<PGlite> | undefined

/** One for all files of tests that share a worker. It ends with the worker. */
export function sharedPglite(): Promise<PGlite> {
  shared ??= createPglite()
  return shared
}

/** The files of an empty one, which the first of a run leaves to the others: to make them takes seconds. */
const EMPTY = join(tmpdir(), 'empty-pglite.tar')

/** In memory, or in a folder, which may hold one already. */
export async function createPglite(directory?: string): Promise<PGlite> {
  const at = directory === undefined ? {} : { dataDir: directory }
  if (directory !== undefined && existsSync(directory)) return await PGlite.create(at)
  if (existsSync(EMPTY)) return await PGlite.create({ ...at, loadDataDir: new Blob([await readFile(EMPTY)]) })
  const pglite = await PGlite.create(at)
  const written = `${EMPTY}.${process.pid}`
  await writeFile(written, (await pglite.dumpDataDir('none')).stream())
  await rename(written, EMPTY)
  return pglite
}

/** A PostgreSQL in the process behind the port of the real one. It has one connection, so the schema is set each time. */
export function pgliteDatabase(pglite: PGlite, schema: string): Database {
  return {
    query: (sql, values) =>
      pglite.transaction(async (transaction) => {
        await transaction.exec(`SET LOCAL search_path TO ${schema}`)
        return (await transaction.query<Row>(sql, values && [...values])).rows
      }),
    transaction: (work) =>
      pglite.transaction(async (transaction) => {
        await transaction.exec(`SET LOCAL search_path TO ${schema}`)
        const at: Queryable = {
          query: async (sql, values) => (await transaction.query<Row>(sql, values && [...values])).rows,
        }
        return await work(at)
      }),
    listen: async (channel, onMessage) => {
      const end = await pglite.listen(channel, onMessage)
      return { close: () => end() }
    },
    lockName: async (name) => lockOn(pglite, name),
    close: async () => {},
  }
}

/** Its one connection would get every lock again and again. */
const taken = new WeakMap<PGlite, Map<string, object>>()

function lockOn(pglite: PGlite, name: string): NameLock {
  const names = taken.get(pglite) ?? new Map<string, object>()
  taken.set(pglite, names)
  const lock = {
    get standing() {
      if (!names.has(name)) names.set(name, lock)
      return names.get(name) === lock ? ('held' as const) : ('taken' as const)
    },
    async close() {
      if (names.get(name) === lock) names.delete(name)
    },
  }
  return lock
}
