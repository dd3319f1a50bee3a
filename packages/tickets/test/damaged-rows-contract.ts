import { silentLogger } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { describe, expect, it } from 'vitest'
import { callbackBody, ticketBody } from '../src/http/ticket-body.ts'
import type { Ticket, TicketStore } from '../src/index.ts'
import { isFinished } from '../src/ticket/ticket.ts'
import { newTicket } from './new-ticket.ts'
import { ANSWER, type OpenStoreOptions } from './ticket-store-contract.ts'

export interface DamageableStore {
  open(options: OpenStoreOptions): Promise<TicketStore>
  /** Runs a statement behind the store's back. */
  run(sql: string): Promise<void>
  /** The column of the text of an answer. */
  readonly answerColumn: string
}

const BEYOND_2_53 = '9999999999999999'

/** What stands in a waiting ticket that nobody should have written there. */
const DAMAGES = [
  `not_before = ${BEYOND_2_53}, rank = ${BEYOND_2_53}`,
  'not_before = 8640000000000001, rank = 8640000000000001',
  `not_before = -${BEYOND_2_53}, rank = -${BEYOND_2_53}`,
  `rank = ${BEYOND_2_53}`,
  `rank = -${BEYOND_2_53}`,
  `created_at = ${BEYOND_2_53}`,
  `created_at = -${BEYOND_2_53}`,
  'created_at = -5',
  `expires_at = ${BEYOND_2_53}`,
  `expires_at = -${BEYOND_2_53}`,
  `started_at = ${BEYOND_2_53}`,
  'finished_at = 5',
  "status = 'lost'",
  "status = ''",
  "status = 'completed'",
  `status = 'completed', finished_at = ${BEYOND_2_53}, outcome = '{}'`,
  `status = 'completed', finished_at = -${BEYOND_2_53}, outcome = '[]'`,
  "status = 'completed', finished_at = 5, outcome = '{broken'",
  `status = 'cancelled', finished_at = 5, outcome = '{"error":"cancelled","attempts":7}'`,
  `status = 'failed', finished_at = 5, outcome = '{"error":"api_timeout","attempts":[null,1]}'`,
  "status = 'in_progress'",
  `status = 'in_progress', worker = 'w9', session = 's9', lease_until = ${BEYOND_2_53}`,
  `status = 'in_progress', worker = 'w1', session = 's9', lease_until = 5, call_key = 'k', call_started_at = ${BEYOND_2_53}`,
  `status = 'in_progress', worker = 'w1', session = 's9', lease_until = 5, cancel_requested_at = ${BEYOND_2_53}`,
  "attempts = '{broken'",
  "attempts = 'null'",
  "attempts = '[1, null]'",
  "event = '{broken'",
  "event = '[]'",
  'event = NULL',
  "last_error = 'api_timeout'",
  `idempotency_scope = '', idempotency_key = 'k', idempotency_fingerprint = 'f', idempotency_until = ${BEYOND_2_53}`,
]

const DAMAGED_CALLBACKS = [
  `due_at = ${BEYOND_2_53}`,
  `due_at = -${BEYOND_2_53}`,
  "status = 'lost'",
  "attempts = '{broken'",
  "attempts = 'null'",
  `attempts = '[1, {"at": 1e300, "durationMs": 1}, {"durationMs": 1}]'`,
]

/** What a store must do with rows that somebody else has damaged. `create` gives an empty one. */
export function describeDamagedRows(name: string, create: () => Promise<DamageableStore>): void {
  const START = 1_800_000_000_000
  const LEASE = { owner: { worker: 'w1', session: 's1' }, leaseMs: 30_000 }
  const clock = () => createVirtualClock({ startAt: START })

  async function accept(store: TicketStore, id: string, more = {}): Promise<Ticket> {
    const event = { id, content: 'Why?', metadata: { team: 'sales' } }
    const accepted = await store.accept(newTicket({ event, eventId: id, ...more }))
    if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
    return accepted.ticket
  }

  /** By pages of one, so that each ticket is a cursor; each is shown as callers see it. */
  async function listed(store: TicketStore): Promise<string[]> {
    const ids: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await store.list({ limit: 1, ...(cursor === undefined ? {} : { cursor }) })
      ids.push(...page.tickets.map((ticket) => ticketBody(ticket, { event: true, prefix: '' }).event_id))
      if (page.nextCursor === undefined) return ids.toSorted()
      cursor = page.nextCursor
    }
  }

  /** Everything that a desk and its callers ask again and again. */
  async function expectAllAnswered(store: TicketStore): Promise<void> {
    expect(await listed(store)).toEqual(['evt_a', 'evt_b', 'evt_c'])
    await store.list({ text: 'why' })
    await store.list({ metadata: { team: 'x'.repeat(300) } })
    await store.stats()
    await store.nextDueInMs()
    await store.expire()
    await store.adopt({ ...LEASE, limit: 100 })
    await store.callbacks.nextDueInMs()
  }

  describe(`${name} with a damaged row`, () => {
    it.each(DAMAGES)('shows, runs, cancels and removes tickets: %s', async (damage) => {
      const at = await create()
      const time = clock()
      const store = await at.open({ clock: time })
      const { id } = await accept(store, 'evt_a')
      await accept(store, 'evt_b')
      await accept(store, 'evt_c')
      await at.run(`UPDATE tickets SET ${damage} WHERE event_id = 'evt_a'`)

      await expectAllAnswered(store)
      const claimed = new Map<string, Ticket>()
      for (let calls = 0; calls < 3; calls++) {
        for (const ticket of await store.claim({ ...LEASE, limit: 1 })) claimed.set(ticket.eventId, ticket)
      }
      for (const eventId of ['evt_b', 'evt_c']) {
        const ticket = claimed.get(eventId)
        expect(ticket && (await store.settle(ticket, ANSWER))).toBe(true)
      }
      await store.close()

      await using again = await at.open({ clock: time })
      await expectAllAnswered(again)
      await time.advance(60_000)
      await again.adopt({ owner: { worker: 'w2', session: 's2' }, leaseMs: 30_000, limit: 100 })
      let ticket = await again.get(id)
      if (ticket?.state.status === 'in_progress') {
        await again.release(ticket, { reason: 'interrupted' })
        ticket = await again.get(id)
      }
      if (ticket?.state.status === 'queued') {
        expect((await again.claim({ ...LEASE, limit: 9 })).map((one) => one.id)).toEqual([id])
        const [running] = (await again.list({ statuses: ['in_progress'] })).tickets
        expect(running && (await again.settle(running, ANSWER))).toBe(true)
      }
      const ended = await again.get(id)
      expect(ended && isFinished(ended)).toBe(true)
      const removed = await again.prune({ finishedBefore: time.wallTime() + 1 })
      expect({ removed, left: await listed(again) }).toEqual({ removed: 3, left: [] })
    })

    it('hands out no outcome of which a bit has flipped, and says so', async () => {
      const at = await create()
      await using store = await at.open({ clock: clock() })
      const { answerColumn } = at
      const changed = `${answerColumn} = replace(${answerColumn}, 'light', 'lighT')`
      for (const damage of [
        changed,
        `${changed}, outcome_crc = outcome_crc + 1`,
        "outcome = replace(outcome, 'kobold', 'kobolD')",
        'outcome_crc = 7',
        `outcome_crc = (SELECT outcome_crc FROM tickets AS other WHERE other.event_id = 'evt_other')`,
      ]) {
        await accept(store, 'evt_other')
        const { id } = await accept(store, 'evt_1')
        for (const ticket of await store.claim({ ...LEASE, limit: 2 })) await store.settle(ticket, ANSWER)
        expect(await store.get(id)).toMatchObject({ state: { status: 'completed', outcome: ANSWER } })
        await at.run(`UPDATE tickets SET ${damage} WHERE id = '${id}'`)
        const shown = await store.get(id)
        expect(shown, damage).toMatchObject({
          state: {
            status: 'failed',
            outcome: { error: 'internal_error', details: expect.stringContaining('damaged') },
          },
        })
        expect(JSON.stringify(shown)).not.toContain('Because')
        expect((await store.list({ eventId: 'evt_1' })).tickets[0]).toEqual(shown)
        await store.prune({ finishedBefore: START + 1 })
      }
    })

    it('hands out outcomes that an earlier release wrote without a checksum', async () => {
      const at = await create()
      await using store = await at.open({ clock: clock() })
      const { id } = await accept(store, 'evt_1')
      for (const ticket of await store.claim({ ...LEASE, limit: 1 })) await store.settle(ticket, ANSWER)
      await at.run('UPDATE tickets SET outcome_crc = NULL')
      expect(await store.get(id)).toMatchObject({ state: { status: 'completed', outcome: ANSWER } })
    })

    it('cancels a ticket that would never have been due', async () => {
      const at = await create()
      await using store = await at.open({ clock: clock() })
      const { id } = await accept(store, 'evt_a')
      await at.run(`UPDATE tickets SET not_before = ${BEYOND_2_53}, rank = ${BEYOND_2_53}`)
      expect((await store.cancel(id))?.state).toMatchObject({ status: 'cancelled', finishedAt: START })
    })

    it('says at the start which tickets it mended, once', async () => {
      const at = await create()
      const store = await at.open({ clock: clock() })
      const { id } = await accept(store, 'evt_a')
      await accept(store, 'evt_b')
      await store.close()
      await at.run(`UPDATE tickets SET not_before = ${BEYOND_2_53} WHERE event_id = 'evt_a'`)
      const lines: unknown[] = []
      const logger = { ...silentLogger, warn: (...line: unknown[]) => void lines.push(line) }
      for (let starts = 0; starts < 2; starts++) await (await at.open({ clock: clock(), logger })).close()
      expect(lines).toEqual([[expect.stringContaining('mended'), { ticket_id: id }]])
    })

    it.each(DAMAGED_CALLBACKS)('shows and sends callbacks: %s', async (damage) => {
      const at = await create()
      const time = clock()
      const store = await at.open({ clock: time })
      const ids: string[] = []
      const callbackUrl = 'https://hooks.example.com/done'
      for (const eventId of ['evt_a', 'evt_b']) ids.push((await accept(store, eventId, { callbackUrl })).id)
      for (const ticket of await store.claim({ ...LEASE, limit: 2 })) await store.settle(ticket, ANSWER)
      await at.run(`UPDATE callbacks SET ${damage} WHERE ticket_id = '${ids[0]}'`)

      const claim = async (from: TicketStore) =>
        (await from.callbacks.claim({ limit: 10, leaseMs: 1_000 })).map(({ ticket }) => ticket.id)
      expect(await claim(store)).toContain(ids[1])
      for (const [id, delivery] of await store.callbacks.find(ids)) {
        const ticket = await store.get(id)
        expect(ticket && callbackBody(ticket, callbackUrl, delivery).ticket_id).toBe(id)
      }
      await store.close()

      await using again = await at.open({ clock: time })
      await again.callbacks.resend(ids[1] ?? '')
      await time.advance(2_000)
      if (damage.startsWith('status')) await again.callbacks.resend(ids[0] ?? '')
      expect((await claim(again)).toSorted()).toEqual(ids.toSorted())
    })
  })

  describe(`${name} given a time that no Date holds`, () => {
    it.each([1e300, Number.POSITIVE_INFINITY, 9e15])('keeps %s as the last that one holds', async (time) => {
      const at = await create()
      await using store = await at.open({ clock: clock() })
      const { id, state } = await accept(store, 'evt_a', { notBefore: time, expiresAt: time })
      expect(state).toEqual({ status: 'queued', notBefore: 8_640_000_000_000_000 })
      expect(await store.get(id)).toMatchObject({ state, expiresAt: 8_640_000_000_000_000 })
      await accept(store, 'evt_b')
      const [held] = await store.claim({ ...LEASE, limit: 9 })
      expect(held && (await store.release(held, { reason: 'retry', pauseMs: time }))).toBe(true)
      expect(
        (await store.list({})).tickets.map((ticket) => ticketBody(ticket, { prefix: '' }).not_before),
      ).toEqual(['+275760-09-13T00:00:00.000Z', '+275760-09-13T00:00:00.000Z'])
    })

    it('refuses what is no number, and nothing but that', async () => {
      const at = await create()
      await using store = await at.open({ clock: clock() })
      const [bad, good] = await Promise.allSettled([
        accept(store, 'evt_a', { notBefore: Number.NaN }),
        accept(store, 'evt_b'),
      ])
      expect(bad).toMatchObject({ reason: expect.any(TypeError) })
      expect(good).toMatchObject({ status: 'fulfilled' })
    })
  })
}
