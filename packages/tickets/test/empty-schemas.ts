import type { TicketStore } from '../src/index.ts'
import { newSchema } from './real-postgres.ts'

/** Schemas that a closed store has left, by their database: to empty one is much quicker than to make another. */
const left = new Map<unknown, string[]>()

export const emptySchemas = {
  async take(run: (schema: string, sql: string) => Promise<unknown>, database: unknown): Promise<string> {
    const schema = left.get(database)?.pop()
    if (schema === undefined) return newSchema()
    const deletions = ['tickets', 'ticket_metadata', 'counts', 'turns'].map(
      (table) => `DELETE FROM ${table};`,
    )
    await run(schema, `DO $$ BEGIN ${deletions.join(' ')} END $$`)
    return schema
  },
  /** No store is open on it any more. */
  giveBack(schema: string, database: unknown): void {
    left.set(database, [...(left.get(database) ?? []), schema])
  },
  /** The store; when it is closed, its schema is for the next one. */
  givenBack(store: TicketStore, schema: string, database: unknown): TicketStore {
    let isClosed = false
    const close = async () => {
      await store.close()
      if (!isClosed) emptySchemas.giveBack(schema, database)
      isClosed = true
    }
    return { ...store, close, [Symbol.asyncDispose]: close }
  },
  /** Those of a database are about to be dropped. */
  forget(database: unknown): void {
    left.delete(database)
  },
}
