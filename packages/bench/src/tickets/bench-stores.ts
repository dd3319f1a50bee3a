import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteStore, type TicketStore } from '@ai-ticket/tickets'
import { createPostgresStore } from '@ai-ticket/tickets/postgres'
import pg from 'pg'

/** A store for one measurement; nothing of it is left afterwards. */
interface BenchStore extends AsyncDisposable {
  readonly store: TicketStore
}

export interface StoreKind {
  readonly name: 'SQLite' | 'PostgreSQL'
  open(): Promise<BenchStore>
}

const CAPACITY = 10_000_000

export const sqliteKind: StoreKind = {
  name: 'SQLite',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'ai-ticket-bench-'))
    const store = createSqliteStore({ directory: join(folder, 'data'), capacity: CAPACITY })
    return {
      store,
      async [Symbol.asyncDispose]() {
        await store.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

export const postgresKind = (connectionString: string): StoreKind => ({
  name: 'PostgreSQL',
  async open() {
    const schema = `bench_${randomBytes(8).toString('hex')}`
    const store = await createPostgresStore({ connectionString, schema, capacity: CAPACITY })
    return {
      store,
      async [Symbol.asyncDispose]() {
        await store.close()
        const client = new pg.Client({ connectionString })
        await client.connect()
        await client.query(`DROP SCHEMA ${schema} CASCADE`)
        await client.end()
      },
    }
  },
})
