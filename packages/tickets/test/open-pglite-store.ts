import type { PGlite } from '@electric-sql/pglite'
import { createSqliteStore, type SqliteStoreOptions, type TicketStore } from '../src/index.ts'
import { createStoreOn } from '../src/stores/postgres/create-postgres-store.ts'
import type { Database } from '../src/stores/postgres/database.ts'
import { emptySchemas } from './empty-schemas.ts'
import { createPglite, pgliteDatabase, sharedPglite } from './pglite-database.ts'

export type PgliteStoreOptions = Omit<SqliteStoreOptions, 'directory'> & {
  readonly schema?: string
  readonly nameWaitMs?: number
  /** In the place of the plain one. */
  readonly database?: Database
}

/** A store on a PGlite that is there, in a schema of its own. */
export async function pgliteStore(pglite: PGlite, options: PgliteStoreOptions = {}): Promise<TicketStore> {
  if (options.schema !== undefined) return await openOn(pglite, { ...options, schema: options.schema })
  const schema = await emptySchemas.take((name, sql) => pgliteDatabase(pglite, name).query(sql), pglite)
  const store = await openOn(pglite, { ...options, schema })
  return emptySchemas.givenBack(store, schema, pglite)
}

const openOn = (
  pglite: PGlite,
  { schema, ...options }: PgliteStoreOptions & { readonly schema: string },
): Promise<TicketStore> =>
  createStoreOn({
    database: pgliteDatabase(pglite, schema),
    ...options,
    schema,
    durability: 'without a sync',
  })

/** A store on a PGlite of its own, in a folder; it is closed with the store. */
export async function openPgliteStore(directory: string, options: PgliteStoreOptions): Promise<TicketStore> {
  const pglite = await createPglite(directory)
  const store = await pgliteStore(pglite, { schema: 'ai_ticket', ...options })
  const close = async () => {
    await store.close()
    if (!pglite.closed) await pglite.close()
  }
  return { ...store, close, [Symbol.asyncDispose]: close }
}

/** An empty store of each kind, in memory. */
export const EMPTY_STORES: readonly [name: string, open: () => Promise<TicketStore>][] = [
  ['SQLite', async () => createSqliteStore({ directory: ':memory:' })],
  ['PGlite', async () => pgliteStore(await sharedPglite())],
]
