import { StatementSync } from 'node:sqlite'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSqliteStore, type Ticket, type TicketQuery, type TicketStore } from '../src/index.ts'
import type { Database, Row } from '../src/stores/postgres/database.ts'
import { newTicket } from './new-ticket.ts'
import { pgliteStore } from './open-pglite-store.ts'
import { pgliteDatabase, sharedPglite } from './pglite-database.ts'
import { newSchema } from './real-postgres.ts'
import { ANSWER } from './ticket-store-contract.ts'

const MIB = 1_024 * 1_024
const NUMBER = 16
/** A read holds 4 MiB, or one ticket. */
const MOST = 5.1 * MIB

afterEach(() => vi.restoreAllMocks())

/** A store, and the most that one of its statements gave back since it was last asked. */
interface Measured {
  readonly store: TicketStore
  readonly most: () => number
}

const STORES: readonly [name: string, open: () => Promise<Measured>][] = [
  [
    'SQLite',
    async () => {
      const measure = createMeasure()
      const all = StatementSync.prototype.all
      vi.spyOn(StatementSync.prototype, 'all').mockImplementation(function (this: StatementSync, ...values) {
        return measure.see(all.apply(this, values))
      })
      return { store: createSqliteStore({ directory: ':memory:' }), most: measure.most }
    },
  ],
  [
    'PGlite',
    async () => {
      const measure = createMeasure()
      const schema = newSchema()
      const real = pgliteDatabase(await sharedPglite(), schema)
      const database: Database = {
        ...real,
        query: async (sql, values) => measure.see(await real.query(sql, values)),
        transaction: (work) =>
          real.transaction((at) =>
            work({ query: async (sql, values) => measure.see(await at.query(sql, values)) }),
          ),
      }
      return { store: await pgliteStore(await sharedPglite(), { schema, database }), most: measure.most }
    },
  ],
]

describe.each(STORES)('on %s no statement reads more than a few MiB', { timeout: 120_000 }, (_name, open) => {
  it('for a list, page by page, or a search', async () => {
    const { store, most } = await open()
    await using _store = store
    const ids = await accept(store)
    most()
    expect((await pagesOf(store, { limit: 200 })).map(({ id }) => id)).toEqual(ids.toReversed())
    expect(most()).toBeLessThan(MOST)
    expect(await pagesOf(store, { limit: 200, text: 'NUMBER 3.' })).toMatchObject([{ id: ids[3] }])
    expect(await pagesOf(store, { limit: 200, text: 'nowhere' })).toEqual([])
    expect(most()).toBeLessThan(MOST)
  })

  it('for those whose time is up, all at once', async () => {
    const { store, most } = await open()
    await using _store = store
    await accept(store, { expiresAt: Date.now() - 1_000 })
    most()
    expect(await store.expire()).toBe(NUMBER)
    expect(most()).toBeLessThan(MOST)
  })

  it('for those of a dead process, and for removing them', async () => {
    const { store, most } = await open()
    await using _store = store
    await accept(store)
    const lease = { leaseMs: 60_000, limit: 100 }
    for (let claimed = 0; claimed < NUMBER; ) {
      claimed += (await store.claim({ ...lease, limit: 1, owner: { worker: 'w1', session: 'dead' } })).length
    }
    most()
    const owner = { worker: 'w1', session: 'new' }
    const adopted: Ticket[] = []
    for (;;) {
      const some = await store.adopt({ ...lease, owner, held: adopted.map(({ id }) => id) })
      if (some.length === 0) break
      adopted.push(...some)
    }
    expect(adopted).toHaveLength(NUMBER)
    expect(await store.heartbeat(adopted, 60_000)).toEqual(adopted.map(() => 'held'))
    for (const ticket of adopted) await store.saveProgress(ticket, { partial: 'so far' })
    expect(most()).toBeLessThan(MOST)
    for (const ticket of adopted) await store.settle(ticket, ANSWER)
    expect(await store.prune({ keep: 0 })).toBe(NUMBER)
    expect(most()).toBeLessThan(MOST)
  })

  it('for who looks whether a ticket has ended, nothing of its content', async () => {
    const { store, most } = await open()
    await using _store = store
    const [id = ''] = await accept(store)
    most()
    expect(await store.peek(id)).toEqual({ status: 'queued', token: 0, runs: 0, isCancelling: false })
    expect(most()).toBeLessThan(1_000)
    expect(await store.peek('tkt_unknown')).toBeUndefined()
  })
})

function createMeasure() {
  let most = 0
  const sizeOf = (row: Row) =>
    Object.values(row).reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 8), 0)
  return {
    see<Rows extends readonly Row[]>(rows: Rows): Rows {
      most = Math.max(
        most,
        rows.reduce((sum, row) => sum + sizeOf(row), 0),
      )
      return rows
    },
    most() {
      const seen = most
      most = 0
      return seen
    },
  }
}

async function accept(store: TicketStore, more: { expiresAt?: number } = {}): Promise<readonly string[]> {
  const ids: string[] = []
  for (let number = 0; number < NUMBER; number++) {
    const event = { id: 'evt_1', content: `${'x'.repeat(MIB)} number ${number}.` }
    const accepted = await store.accept(newTicket({ event, ...more }))
    if ('ticket' in accepted) ids.push(accepted.ticket.id)
  }
  return ids
}

async function pagesOf(store: TicketStore, query: TicketQuery): Promise<readonly Ticket[]> {
  const found: Ticket[] = []
  let cursor: string | undefined
  do {
    const page = await store.list({ ...query, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.tickets)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return found
}
