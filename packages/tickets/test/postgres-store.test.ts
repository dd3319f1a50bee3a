import { PGlite } from '@electric-sql/pglite'
import { fromPglite } from 'pg-boss'
import { afterAll, describe, it } from 'vitest'
import { createStoreOn } from '../src/postgres/create-postgres-store.ts'
import { createPostgresStore } from '../src/postgres.ts'
import { pgliteDatabase } from './pglite-database.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from './real-postgres.ts'
import { describeTicketStore } from './ticket-store-contract.ts'

// One for all: to start it takes seconds. Each store has its own schema.
let pglite: Promise<PGlite> | undefined
afterAll(async () => (await pglite)?.close())

describeTicketStore('pg-boss on PGlite', async (options) => {
  pglite ??= PGlite.create()
  const schema = newSchema()
  const postgres = await pglite
  return createStoreOn({
    ...options,
    schema,
    database: pgliteDatabase(postgres, schema),
    boss: { backend: 'pglite', db: fromPglite(postgres) },
    onError: (error) => {
      throw error
    },
    durability: 'in memory only',
  })
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('pg-boss on a PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run the contract on a real one', () => {})
  })
} else {
  afterAll(dropSchemas)
  describeTicketStore('pg-boss on a PostgreSQL', (options) =>
    createPostgresStore({ ...options, connectionString, schema: newSchema() }),
  )
}
