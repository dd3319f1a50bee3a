import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** The PostgreSQL that tests may use; undefined: there is none. */
export const POSTGRES_URL = process.env.AI_TICKET_TEST_POSTGRES_URL || undefined

const made: string[] = []

/** A name that no other run has. */
export function newSchema(): string {
  const schema = `test_${randomBytes(8).toString('hex')}`
  made.push(schema)
  return schema
}

/** Leaves the PostgreSQL as it was. */
export async function dropSchemas(): Promise<void> {
  const client = new pg.Client({ connectionString: POSTGRES_URL })
  await client.connect()
  for (const schema of made.splice(0)) {
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
  }
  await client.end()
}
