import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import type { TicketStore } from '../src/index.ts'
import { createPostgresStore } from '../src/postgres.ts'
import { newTicket } from './new-ticket.ts'
import { pgliteStore } from './open-pglite-store.ts'
import { openTicketDesk } from './open-ticket-desk.ts'
import { sharedPglite } from './pglite-database.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from './real-postgres.ts'
import { runChild } from './run-child.ts'

const LEASE = { owner: { worker: 'w1', session: 's1' }, leaseMs: 60_000 }

/** Opens another server on the same tables. */
type OpenAnother = (nameWaitMs: number) => Promise<TicketStore>

describeNames('PGlite', async () => {
  const database = await sharedPglite()
  const schema = newSchema()
  return (nameWaitMs) => pgliteStore(database, { schema, nameWaitMs })
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('the name of a server on a PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run them', () => {})
  })
} else {
  afterAll(dropSchemas)
  describeNames('a PostgreSQL', async () => {
    const schema = newSchema()
    return (nameWaitMs) => createPostgresStore({ connectionString, schema, nameWaitMs })
  })

  describe('the name of a server on a PostgreSQL', () => {
    it('is taken again when its connection was lost', async () => {
      const schema = newSchema()
      await using store = await createPostgresStore({ connectionString, schema })
      await store.holdName('w1')
      await store.accept(newTicket())
      expect(await endLock(schema)).toBe(1)
      await expect.poll(() => claim(store), { timeout: 20_000 }).toBe('nobody has it')
      await expect.poll(() => claim(store), { timeout: 20_000 }).toBe(1)
    })

    it('is lost to another server that has it by then: no more is claimed or adopted', async () => {
      const schema = newSchema()
      await using first = await createPostgresStore({ connectionString, schema })
      await first.holdName('w1')
      await first.accept(newTicket())
      await using second = await createPostgresStore({ connectionString, schema, nameWaitMs: 60_000 })
      const taken = second.holdName('w1')
      await endLock(schema)
      await taken
      await expect.poll(() => claim(first), { timeout: 20_000 }).toBe('locked')
      await expect(first.adopt({ ...LEASE, limit: 1 })).rejects.toMatchObject({ problem: 'locked' })
      expect(await claim(second)).toBe(1)
    })

    it('is free as soon as its process is dead, however it died', async () => {
      const schema = newSchema()
      const child = runChild(new URL('./run-desk.ts', import.meta.url), {
        CONNECTION: connectionString,
        SCHEMA: schema,
        NAME: 'w1',
        BACKEND: 'http://127.0.0.1:1',
        LEASE_MS: '20000',
      })
      await child.line('ready')
      await using store = await createPostgresStore({ connectionString, schema, nameWaitMs: 60_000 })
      const held = store.holdName('w1')
      await child.kill('SIGKILL')
      await held
    })
  })

  /** Ends the connection that holds the name in this schema. */
  async function endLock(schema: string): Promise<number> {
    const client = new pg.Client({ connectionString })
    await client.connect()
    const ended = await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, 0)`,
      [`ai_ticket ${schema} worker w1`],
    )
    await client.end()
    return ended.rowCount ?? 0
  }
}

async function claim(store: TicketStore): Promise<string | number> {
  try {
    return (await store.claim({ ...LEASE, limit: 1 })).length
  } catch (error) {
    const { problem } = error as { problem?: string }
    return problem === 'unreachable' ? 'nobody has it' : (problem ?? String(error))
  }
}

function describeNames(name: string, prepare: () => Promise<OpenAnother>): void {
  describe(`the name of a server on ${name}`, { timeout: 120_000 }, () => {
    it('belongs to one process: a second one waits, and then is refused', async () => {
      const open = await prepare()
      await using first = await open(0)
      await using second = await open(300)
      await first.holdName('w1')
      await first.holdName('w1')
      await expect(second.holdName('w1')).rejects.toMatchObject({
        code: 'store_unavailable',
        problem: 'locked',
        message: expect.stringContaining('"w1"'),
      })
      await second.holdName('w2')
    })

    it('passes on when the first ends while the second waits, as in a rolling update', async () => {
      const open = await prepare()
      const first = await open(0)
      await using second = await open(60_000)
      await first.holdName('w1')
      const [held] = await first.accept(newTicket()).then(() => first.claim({ ...LEASE, limit: 1 }))
      const passed = second.holdName('w1')
      await first.close()
      await passed
      const owner = { worker: 'w1', session: 's2' }
      expect(await second.adopt({ owner, leaseMs: 1_000, limit: 9 })).toMatchObject([{ id: held?.id }])
    })

    it('is asked for by the desk: a second one of the name does not start', async () => {
      const open = await prepare()
      await using first = await open(0)
      await using second = await open(0)
      await using at = await openTicketDesk({ store: first, desk: { worker: 'w1' } })
      await expect(openTicketDesk({ store: second, desk: { worker: 'w1' } })).rejects.toMatchObject({
        problem: 'locked',
      })
      const { id } = await at.accept()
      await at.until(id, ({ state }) => state.status === 'completed')
    })
  })
}
