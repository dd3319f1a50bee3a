import { startKoboldSimulator } from '@ai-ticket/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import type { TicketStore } from '../src/index.ts'
import { createPostgresStore } from '../src/postgres.ts'
import { newTicket } from '../test/new-ticket.ts'
import { dropSchemas, newSchema, POSTGRES_URL } from '../test/real-postgres.ts'
import { runChild } from '../test/run-child.ts'
import { ANSWER } from '../test/ticket-store-contract.ts'

const RUN_DESK = new URL('../test/run-desk.ts', import.meta.url)

const connectionString = POSTGRES_URL
if (connectionString === undefined) {
  describe('two servers on one PostgreSQL', () => {
    it.skip('SKIPPED: set AI_TICKET_TEST_POSTGRES_URL=postgres://… to run them', () => {})
  })
} else {
  afterAll(dropSchemas)
  describe('two servers on one PostgreSQL', () => {
    it('share a thousand tickets, and run each once', { timeout: 180_000 }, async () => {
      const schema = newSchema()
      await using one = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
      await using two = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
      await using store = await createPostgresStore({ connectionString, schema })
      const tickets = await accept(store, 1_000)
      const servers = [runServer(schema, 'one', one.url), runServer(schema, 'two', two.url)]
      try {
        await untilFinished(store, 1_000)
      } finally {
        await Promise.all(servers.map((server) => server.kill()))
      }
      for (const id of tickets) {
        expect(await store.get(id)).toMatchObject({ runs: 1, state: { status: 'completed' } })
      }
      expect(one.calls.length + two.calls.length).toBe(1_000)
      expect(Math.min(one.calls.length, two.calls.length)).toBeGreaterThan(200)
    })

    it('find everybody in line, however often their senders leave it and come back', {
      timeout: 60_000,
    }, async () => {
      const schema = newSchema()
      await using one = await createPostgresStore({ connectionString, schema })
      await using two = await createPostgresStore({ connectionString, schema })
      const claimed = new Map<string, () => void>()
      let isSending = true
      const serve = async (store: TicketStore, session: string) => {
        while (isSending) {
          const owner = { worker: session, session }
          const tickets = await store.claim({ owner, leaseMs: 60_000, limit: 2 })
          for (const ticket of tickets) {
            await store.settle(ticket, ANSWER)
            claimed.get(ticket.eventId)?.()
          }
        }
      }
      // The next one comes at the moment in which nothing of its sender waits any more.
      const send = async (store: TicketStore, sender: string) => {
        for (let number = 0; number < 30; number++) {
          const eventId = `${sender} ${number}`
          const isClaimed = new Promise<void>((resolve) => claimed.set(eventId, resolve))
          await store.accept(newTicket({ sender, eventId }))
          await isClaimed
        }
      }
      const serving = [serve(one, 'one'), serve(one, 'three'), serve(two, 'two')]
      await Promise.all(
        Array.from({ length: 12 }, (_, number) => send(number % 2 === 0 ? one : two, `sender ${number}`)),
      )
      isSending = false
      await Promise.all(serving)
      expect((await one.stats()).byStatus).toMatchObject({ queued: 0, in_progress: 0 })
      expect(claimed.size).toBe(360)
    })

    it('lose one of them, and the other runs its tickets within thirty seconds', {
      timeout: 90_000,
    }, async () => {
      const schema = newSchema()
      await using endless = await startKoboldSimulator({ tokensPerSecond: 1 })
      await using quick = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
      await using store = await createPostgresStore({ connectionString, schema })
      const [id = ''] = await accept(store, 1)
      const dying = runServer(schema, 'dying', endless.url)
      await endless.waitForCall(1, { timeoutMs: 20_000 })
      const living = runServer(schema, 'living', quick.url)
      try {
        await living.line('ready')
        await dying.kill('SIGKILL')
        const killedAt = performance.now()
        await untilFinished(store, 1)
        expect(performance.now() - killedAt).toBeLessThan(30_000)
      } finally {
        await Promise.all([dying.kill(), living.kill()])
      }
      expect(await store.get(id)).toMatchObject({
        runs: 2,
        crashes: 1,
        attempts: [
          { backend: 'dying', result: 'cancelled' },
          { backend: 'living', result: 'completed' },
        ],
        state: { status: 'completed' },
      })
    })
  })

  const runServer = (schema: string, name: string, url: string) =>
    runChild(RUN_DESK, {
      CONNECTION: connectionString,
      SCHEMA: schema,
      NAME: name,
      BACKEND: url,
      LEASE_MS: '20000',
    })
}

async function accept(store: TicketStore, number: number): Promise<readonly string[]> {
  const accepted = await Promise.all(Array.from({ length: number }, () => store.accept(newTicket())))
  return accepted.flatMap((one) => ('ticket' in one ? [one.ticket.id] : []))
}

/** Looks again whenever a server has told of a change. */
async function untilFinished(store: TicketStore, number: number): Promise<void> {
  for (;;) {
    const changed = Promise.withResolvers<void>()
    const stop = store.subscribe(() => changed.resolve())
    const { queued, in_progress } = (await store.stats()).byStatus
    if (queued + in_progress === 0) return stop()
    await changed.promise
    stop()
    expect(queued + in_progress).toBeLessThanOrEqual(number)
  }
}
