import type { PGlite } from '@electric-sql/pglite'
import type { Database, Queryable, Row } from '../src/stores/postgres/database.ts'

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
    close: async () => {},
  }
}
