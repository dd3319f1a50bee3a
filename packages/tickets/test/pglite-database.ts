import { PGlite } from '@electric-sql/pglite'
import type { Database, NameLock, Queryable, Row } from '../src/stores/postgres/database.ts'

let shared: Promise<PGlite> | undefined

/** One for all files of tests that share a worker, because it takes seconds to start. It ends with the worker. */
export function sharedPglite(): Promise<PGlite> {
  shared ??= PGlite.create()
  return shared
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
