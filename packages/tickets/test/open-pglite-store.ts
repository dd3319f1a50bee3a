import { PGlite } from '@electric-sql/pglite'
import { createSqliteStore, type SqliteStoreOptions, type TicketStore } from '../src/index.ts'
import { createStoreOn } from '../src/stores/postgres/create-postgres-store.ts'
import type { Database } from '../src/stores/postgres/database.ts'
import { pgliteDatabase } from './pglite-database.ts'
import { newSchema } from './real-postgres.ts'

export type PgliteStoreOptions = Omit<SqliteStoreOptions, 'directory'> & {
  readonly schema?: string
  readonly nameWaitMs?: number
  /** In the place of the plain one. */
  readonly database?: Database
}

/** A store on a PGlite that is there, in a schema of its own. */
export const pgliteStore = (
  pglite: PGlite,
  { schema = newSchema(), ...options }: PgliteStoreOptions = {},
): Promise<TicketStore> =>
  createStoreOn({
    database: pgliteDatabase(pglite, schema),
    ...options,
    schema,
    durability: 'without a sync',
  })

/** A store on a PGlite of its own, in a folder; it is closed with the store. */
export async function openPgliteStore(directory: string, options: PgliteStoreOptions): Promise<TicketStore> {
  const pglite = await PGlite.create(directory)
  const store = await pgliteStore(pglite, { schema: 'ai_ticket', ...options })
  const close = async () => {
    await store.close()
    if (!pglite.closed) await pglite.close()
  }
  return { ...store, close, [Symbol.asyncDispose]: close }
}

/** An empty store of each kind, in memory. `close` ends what they share. */
export function emptyStores() {
  let pglite: Promise<PGlite> | undefined
  const stores: readonly [name: string, open: () => Promise<TicketStore>][] = [
    ['SQLite', async () => createSqliteStore({ directory: ':memory:' })],
    [
      'PGlite',
      async () => {
        pglite ??= PGlite.create()
        return pgliteStore(await pglite)
      },
    ],
  ]
  return { stores, close: async () => (await pglite)?.close() }
}
