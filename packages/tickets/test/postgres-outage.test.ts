import { type AddressInfo, createServer } from 'node:net'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import type { TicketStore } from '../src/index.ts'
import { createPostgresStore } from '../src/postgres.ts'
import { newTicket } from './new-ticket.ts'
import { openRoad } from './postgres-road.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from './real-postgres.ts'
import { ANSWER } from './ticket-store-contract.ts'

const OWNER = { worker: 'w1', session: 's1' }

it('says that PostgreSQL cannot be reached, and keeps the password to itself', async () => {
  const connectionString = 'postgres://someone:secret@127.0.0.1:1/nothing'
  const refused = await createPostgresStore({ connectionString }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'store_unavailable', problem: 'unreachable' })
  expect(String(refused)).not.toContain('secret')
})

it('says what keeps it from connecting, in whatever words that comes', async () => {
  // PostgreSQL's answer to a client that asks for TLS, and gets none.
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write('N')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const connectionString = `postgres://someone:secret@127.0.0.1:${port}/a?sslmode=verify-full`
  const refused = await createPostgresStore({ connectionString }).catch((error: unknown) => error)
  server.close()
  expect(refused).toMatchObject({
    problem: 'unreachable',
    message: expect.stringContaining('The server does not support SSL connections.'),
  })
})

it('refuses a schema whose name would need quotes', async () => {
  await expect(createPostgresStore({ connectionString: '', schema: 'a"b' })).rejects.toThrow(/schema: "a"b"/)
})

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('a PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to let it go away and come back', () => {})
  })
} else {
  afterAll(dropSchemas)
  describe('a PostgreSQL', () => {
    it('whose encoding cannot hold every text is refused at the start, not at the first such text', async () => {
      const database = newSchema()
      const admin = new pg.Client({ connectionString })
      await admin.connect()
      await admin.query(
        `CREATE DATABASE ${database} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
      )
      const url = new URL(connectionString)
      url.pathname = `/${database}`
      const refused = await createPostgresStore({ connectionString: String(url) }).catch(
        (error: unknown) => error,
      )
      await admin.query(`DROP DATABASE ${database}`)
      await admin.end()
      expect(refused).toMatchObject({
        problem: 'broken',
        message: expect.stringContaining('encoding LATIN1'),
      })
    })

    it('that goes away and comes back loses nothing, and nobody restarts', async () => {
      await using road = await openRoad(connectionString)
      await using store = await createPostgresStore({ connectionString: road.url, schema: newSchema() })
      const before = await accept(store)
      await store.claim({ owner: OWNER, leaseMs: 60_000, limit: 1 })
      await road.close()
      const calls = [store.accept(newTicket()), store.get(before), store.stats(), store.expire()]
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ reason: { code: 'store_unavailable', problem: 'unreachable' } })
      }
      await road.open()
      expect(await store.get(before)).toMatchObject({ state: { status: 'in_progress' } })
      const after = await accept(store)
      expect((await store.claim({ owner: OWNER, leaseMs: 60_000, limit: 5 })).map(({ id }) => id)).toEqual([
        after,
      ])
      expect(await store.settle({ id: before, token: 1 }, ANSWER)).toBe(true)
    })

    it('hears of other servers again when it is back', async () => {
      const schema = newSchema()
      await using road = await openRoad(connectionString)
      await using far = await createPostgresStore({ connectionString: road.url, schema })
      await using near = await createPostgresStore({ connectionString, schema })
      await road.close()
      await road.open()
      const heard = Promise.withResolvers<string>()
      far.subscribe(heard.resolve)
      const told = new Set<string>()
      // Said while the listening connection is being mended, a message is lost: so it is said until one is heard.
      const isHeard = heard.promise.then(() => true)
      while (!(await Promise.race([isHeard, Promise.resolve(false)]))) told.add(await accept(near))
      expect(told).toContain(await heard.promise)
    })

    it('keeps texts that it would refuse by itself', async () => {
      await using store = await createPostgresStore({ connectionString, schema: newSchema() })
      const event = {
        id: 'evt_\0',
        content: 'a\0b\uE000c',
        metadata: { 'k\0': 'v\0' },
        parts: ['\0', '\ud800'],
      }
      const accepted = await store.accept(newTicket({ event, eventId: 'evt_\0', caller: 'c\0' }))
      const ticket = 'ticket' in accepted ? accepted.ticket : undefined
      expect(await store.get(ticket?.id ?? '')).toEqual(ticket)
      const found = await store.list({
        text: 'a\0b',
        metadata: { 'k\0': 'v\0' },
        caller: 'c\0',
        eventId: 'evt_\0',
      })
      expect(found.tickets).toEqual([ticket])
      const [held] = await store.claim({ owner: OWNER, leaseMs: 1_000, limit: 1 })
      expect(held && (await store.saveProgress(held, { partial: 'x\0y' }))).toBe(true)
      expect(held && (await store.settle(held, { ...ANSWER, completion: 'y\0z' }))).toBe(true)
      expect(await store.get(ticket?.id ?? '')).toMatchObject({ state: { outcome: { completion: 'y\0z' } } })
    })

    it('lets senders take turns on two servers that claim at the same time, and gives each ticket once', async () => {
      const schema = newSchema()
      await using first = await createPostgresStore({ connectionString, schema })
      await using second = await createPostgresStore({ connectionString, schema })
      const callers = [...Array.from({ length: 60 }, () => 'greedy'), 'modest', 'late']
      await Promise.all(callers.map((caller) => first.accept(newTicket({ caller }))))
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? first : second).claim({ owner: OWNER, leaseMs: 60_000, limit: 1 }),
        ),
      )
      const claimed = claims.flat()
      expect(new Set(claimed.map(({ id }) => id)).size).toBe(20)
      expect(claimed.filter(({ caller }) => caller !== 'greedy')).toHaveLength(2)
      await using third = await createPostgresStore({ connectionString, schema })
      await first.accept(newTicket({ caller: 'new' }))
      const next = await third.claim({ owner: OWNER, leaseMs: 60_000, limit: 2 })
      expect(next.map(({ caller }) => caller)).toContain('new')
    })

    it('gives one ticket to two servers that are asked at the same time with one key', async () => {
      const schema = newSchema()
      await using first = await createPostgresStore({ connectionString, schema })
      await using second = await createPostgresStore({ connectionString, schema })
      const idempotency = { scope: '', key: 'k', fingerprint: 'f', ttlMs: 60_000 }
      const accepted = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? first : second).accept(newTicket({ idempotency })),
        ),
      )
      expect(accepted.filter(({ type }) => type === 'created')).toHaveLength(1)
      expect(new Set(accepted.map((one) => 'ticket' in one && one.ticket.id)).size).toBe(1)
    })
  })
}

async function accept(store: TicketStore): Promise<string> {
  const accepted = await store.accept(newTicket())
  if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
  return accepted.ticket.id
}
