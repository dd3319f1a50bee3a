import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SqliteStoreOptions, TicketStore } from '../src/index.ts'
import { createSqliteStore } from '../src/index.ts'
import { newSchema } from './real-postgres.ts'

/** Where the tickets of a ledger are; written into the environment of the server that is killed. */
/** How long a claim of the server that is killed lasts. */
export const LEASE_MS = 60_000

export type LedgerStore =
  | { readonly type: 'sqlite'; readonly directory: string }
  | { readonly type: 'postgres'; readonly connectionString: string; readonly schema: string }
  | { readonly type: 'pglite'; readonly directory: string }

const newDirectory = () => join(mkdtempSync(join(tmpdir(), 'ledger-')), 'data')

/** A new one, with nothing in it. */
export const onSqlite = (): LedgerStore => ({ type: 'sqlite', directory: newDirectory() })

export const onPglite = (): LedgerStore => ({ type: 'pglite', directory: newDirectory() })

export const onPostgres = (connectionString: string) => (): LedgerStore => ({
  type: 'postgres',
  connectionString,
  schema: newSchema(),
})

export async function openLedgerStore(
  store: LedgerStore,
  onStep: SqliteStoreOptions['onStep'] = () => {},
): Promise<TicketStore> {
  // Each loads what it needs: a server that is started a hundred times is to be ready soon.
  switch (store.type) {
    case 'sqlite':
      return createSqliteStore({ directory: store.directory, onStep })
    case 'postgres': {
      const { createPostgresStore } = await import('../src/postgres.ts')
      return await createPostgresStore({ ...store, connections: 4, onStep })
    }
    case 'pglite': {
      const { openPgliteStore } = await import('./open-pglite-store.ts')
      return await openPgliteStore(store.directory, { onStep })
    }
  }
}
