import { PGlite } from '@electric-sql/pglite'
import { afterAll, describe, it } from 'vitest'
import { createPostgresStore } from '../src/postgres.ts'
import { createPgDatabase } from '../src/stores/postgres/pg-database.ts'
import { describeCallbackStore } from './callback-store-contract.ts'
import { describeDamagedRows } from './damaged-rows-contract.ts'
import { pgliteStore } from './open-pglite-store.ts'
import { pgliteDatabase } from './pglite-database.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from './real-postgres.ts'
import { describeTicketStore, type OpenStoreOptions } from './ticket-store-contract.ts'

// One for all: to start it takes seconds. Each store has its own schema.
let pglite: Promise<PGlite> | undefined
afterAll(async () => (await pglite)?.close())

const onPglite = async (options: OpenStoreOptions) => {
  pglite ??= PGlite.create()
  return pgliteStore(await pglite, options)
}

describeTicketStore('PGlite', onPglite)
describeCallbackStore('PGlite', onPglite)
describeDamagedRows('PGlite', async () => {
  pglite ??= PGlite.create()
  const database = await pglite
  const schema = newSchema()
  return {
    answerColumn: 'answer',
    open: (options) => pgliteStore(database, { ...options, schema }),
    run: async (sql) => void (await pgliteDatabase(database, schema).query(sql)),
  }
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('a PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run the contract on a real one', () => {})
  })
} else {
  afterAll(dropSchemas)
  const onPostgres = (options: OpenStoreOptions) =>
    createPostgresStore({ ...options, connectionString, schema: newSchema() })
  describeTicketStore('a PostgreSQL', onPostgres)
  describeCallbackStore('a PostgreSQL', onPostgres)
  describeDamagedRows('a PostgreSQL', async () => {
    const schema = newSchema()
    return {
      answerColumn: 'answer',
      open: (options) => createPostgresStore({ ...options, connectionString, schema }),
      async run(sql) {
        const database = createPgDatabase({ connectionString, schema, connections: 1, onError: () => {} })
        await database.query(sql)
        await database.close()
      },
    }
  })
}
