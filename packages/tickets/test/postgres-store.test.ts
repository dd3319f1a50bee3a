import { afterAll, describe, it, onTestFinished } from 'vitest'
import { createPostgresStore } from '../src/postgres.ts'
import { createPgDatabase } from '../src/stores/postgres/pg-database.ts'
import { describeCallbackStore } from './callback-store-contract.ts'
import { describeDamagedRows } from './damaged-rows-contract.ts'
import { emptySchemas } from './empty-schemas.ts'
import { pgliteStore } from './open-pglite-store.ts'
import { pgliteDatabase, sharedPglite } from './pglite-database.ts'
import { dropSchemas, POSTGRES_URL } from './real-postgres.ts'
import { describeTicketRows } from './ticket-row-contract.ts'
import { describeTicketStore, type OpenStoreOptions } from './ticket-store-contract.ts'

const onPglite = async (options: OpenStoreOptions) => {
  return pgliteStore(await sharedPglite(), options)
}

describeTicketStore('PGlite', onPglite)
describeCallbackStore('PGlite', onPglite)
describeTicketRows('PGlite', onPglite)
describeDamagedRows('PGlite', async () => {
  const database = await sharedPglite()
  const runIn = (name: string, sql: string) => pgliteDatabase(database, name).query(sql)
  const schema = await emptySchemas.take(runIn, database)
  onTestFinished(() => emptySchemas.giveBack(schema, database))
  return {
    answerColumn: 'answer',
    open: (options) => pgliteStore(database, { ...options, schema }),
    run: async (sql) => void (await runIn(schema, sql)),
  }
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('a PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run the contract on a real one', () => {})
  })
} else {
  afterAll(() => {
    emptySchemas.forget(connectionString)
    return dropSchemas()
  })
  const run = async (schema: string, sql: string) => {
    const database = createPgDatabase({ connectionString, schema, connections: 1, onError: () => {} })
    await database.query(sql)
    await database.close()
  }
  const onPostgres = async (options: OpenStoreOptions) => {
    const schema = await emptySchemas.take(run, connectionString)
    const store = await createPostgresStore({ ...options, connectionString, schema })
    return emptySchemas.givenBack(store, schema, connectionString)
  }
  describeTicketStore('a PostgreSQL', onPostgres)
  describeCallbackStore('a PostgreSQL', onPostgres)
  describeTicketRows('a PostgreSQL', onPostgres)
  describeDamagedRows('a PostgreSQL', async () => {
    const schema = await emptySchemas.take(run, connectionString)
    onTestFinished(() => emptySchemas.giveBack(schema, connectionString))
    return {
      answerColumn: 'answer',
      open: (options) => createPostgresStore({ ...options, connectionString, schema }),
      run: (sql) => run(schema, sql),
    }
  })
}
