import {
  type AttemptRecord,
  type Clock,
  type FailureOutcome,
  type Logger,
  parseJson,
  type SuccessOutcome,
} from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { describe, expect, it } from 'vitest'
import type { HistoryEntry, NewTicket, Ticket, TicketOwner, TicketStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'

export interface OpenStoreOptions {
  readonly clock: Clock
  readonly capacity?: number
  readonly logger?: Logger
}

/** An event that was answered at once. */
const recordOf = (eventId: string, createdAt: number): HistoryEntry => ({
  event: { id: eventId, content: 'Hay.' },
  eventId,
  caller: '',
  createdAt,
  finishedAt: createdAt,
  outcome: ANSWER,
})

/** What every store must do. `open` gives an empty one. */
export function describeTicketStore(
  name: string,
  open: (options: OpenStoreOptions) => Promise<TicketStore>,
): void {
  const START = 1_800_000_000_000
  const DAY_MS = 86_400_000
  const OWNER: TicketOwner = { worker: 'w1', session: 's1' }
  const LEASE = { owner: OWNER, leaseMs: 30_000 }

  async function openStore(capacity?: number) {
    const virtual = createVirtualClock({ startAt: START })
    let shiftMs = 0
    const clock = { ...virtual, wallTime: () => virtual.wallTime() + shiftMs }
    /** Somebody sets the clock; time goes on as it did. */
    const setClock = (byMs: number) => {
      shiftMs += byMs
    }
    const store = await open({ clock, ...(capacity === undefined ? {} : { capacity }) })
    const accept = async (given: Partial<NewTicket> = {}) => {
      const accepted = await store.accept(newTicket(given))
      if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
      return accepted.ticket
    }
    const claimOne = async () => {
      const [ticket] = await store.claim({ ...LEASE, limit: 1 })
      if (ticket === undefined) throw new Error('nothing was claimed')
      return ticket
    }
    return { store, clock, setClock, accept, claimOne, [Symbol.asyncDispose]: () => store.close() }
  }

  describe(`${name} as a ticket store`, () => {
    it('keeps an accepted event as a waiting ticket', async () => {
      await using at = await openStore()
      const trace = {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'a=1',
      }
      const ticket = await at.accept({ priority: 3, caller: 'ci', trace, wantsStream: true, isChat: true })
      expect(ticket.id).toMatch(/^tkt_[0-9a-f-]{36}$/)
      expect(await at.store.get(ticket.id)).toEqual(ticket)
      expect(ticket).toMatchObject({
        eventId: 'evt_1',
        kind: 'ticket',
        event: { id: 'evt_1', content: 'Why?' },
        caller: 'ci',
        trace,
        wantsStream: true,
        isChat: true,
        priority: 3,
        createdAt: START,
        runs: 0,
        attempts: [],
        state: { status: 'queued', notBefore: START },
      })
      expect(await at.store.get('tkt_unknown')).toBeUndefined()
    })

    it('keeps the digits of long numbers', async () => {
      await using at = await openStore()
      const json =
        '{"id":"evt_1","metadata":{"order":[0.12345678901234567890]},"content":{"channel":1187654321098765433,"n":1e400}}'
      const { id } = await at.accept({ event: parseJson(json) as NewTicket['event'] })
      expect(JSON.stringify((await at.store.get(id))?.event)).toBe(json)
      const claimed = await at.claimOne()
      expect(JSON.stringify(claimed.event)).toBe(json)
    })

    it('lets nobody wait longer because the clock was set back', async () => {
      await using at = await openStore()
      const waiting = await at.accept({ eventId: 'waiting' })
      const retried = await at.accept({ eventId: 'retried' })
      for (const one of [await at.claimOne(), await at.claimOne()]) {
        const isRetried = one.id === retried.id
        const release = isRetried
          ? { reason: 'retry' as const, pauseMs: 60_000 }
          : { reason: 'interrupted' as const }
        expect(await at.store.release(one, release)).toBe(true)
      }
      const unseen = await at.accept({ eventId: 'unseen' })
      const asked = await at.accept({ eventId: 'asked', notBefore: START + 10_000 })
      at.setClock(-5 * 3_600_000)
      expect(await at.store.nextDueInMs()).toBeLessThanOrEqual(0)
      const claimed = await at.store.claim({ ...LEASE, limit: 9 })
      expect(claimed.map(({ id }) => id).toSorted()).toEqual([waiting.id, retried.id, unseen.id].toSorted())
      expect(await at.store.get(asked.id)).toMatchObject({ state: { status: 'queued' } })
      at.setClock(5 * 3_600_000 + 10_000)
      expect(await at.store.claim({ ...LEASE, limit: 9 })).toMatchObject([{ id: asked.id }])
    })

    it('takes over from the dead although the clock was set back', async () => {
      await using at = await openStore()
      const { id } = await at.accept()
      await at.claimOne()
      at.setClock(-5 * 3_600_000)
      const other = { owner: { worker: 'w2', session: 's2' }, leaseMs: 30_000, limit: 9 }
      expect(await at.store.adopt(other)).toMatchObject([{ id }])
      expect(await at.store.adopt({ ...other, owner: OWNER })).toEqual([])
    })

    it('gives the same ticket for the same key and request, and refuses another request', async () => {
      await using at = await openStore()
      const idempotency = { scope: 'ci', key: 'k', fingerprint: 'f', ttlMs: 1_000 }
      const [first, again] = await Promise.all([
        at.store.accept(newTicket({ idempotency })),
        at.store.accept(newTicket({ idempotency })),
      ])
      expect(first?.type).toBe('created')
      expect(again).toEqual({ ...first, type: 'existing' })
      expect(
        await at.store.accept(newTicket({ idempotency: { ...idempotency, fingerprint: 'other' } })),
      ).toEqual({ type: 'conflict' })
      const elsewhere = await at.store.accept(newTicket({ idempotency: { ...idempotency, scope: 'desk' } }))
      expect(elsewhere.type).toBe('created')
      expect((await at.store.stats()).byStatus.queued).toBe(2)
    })

    it('forgets a key when its time is up, not the ticket', async () => {
      await using at = await openStore()
      const idempotency = { scope: '', key: 'k', fingerprint: 'f', ttlMs: 1_000 }
      const first = await at.accept({ idempotency })
      await at.clock.advance(1_000)
      const second = await at.accept({ idempotency: { ...idempotency, fingerprint: 'other' } })
      expect(second.id).not.toBe(first.id)
      expect(await at.store.get(first.id)).toEqual(first)
    })

    it('takes no more waiting tickets than it has room for', async () => {
      await using at = await openStore(2)
      await at.accept()
      await at.accept()
      expect(await at.store.accept(newTicket())).toEqual({
        type: 'full',
        queued: 2,
        capacity: 2,
        limit: 'store',
      })
      await at.claimOne()
      expect((await at.store.accept(newTicket())).type).toBe('created')
    })

    it('claims by priority and age, each ticket once', async () => {
      await using at = await openStore()
      const old = await at.accept()
      await at.clock.advance(1_000)
      const young = await at.accept()
      const urgent = await at.accept({ priority: 1 })
      const ids = (await at.store.claim({ ...LEASE, limit: 2 })).map(({ id }) => id)
      expect(ids).toEqual([urgent.id, old.id])
      expect((await at.store.claim({ ...LEASE, limit: 5 })).map(({ id }) => id)).toEqual([young.id])
    })

    it('counts thirty seconds of waiting as one step of priority', async () => {
      await using at = await openStore()
      const old = await at.accept()
      await at.clock.advance(30_001)
      await at.accept({ priority: 1 })
      expect((await at.claimOne()).id).toBe(old.id)
    })

    it('leaves tickets waiting that ask for a busy backend', async () => {
      await using at = await openStore()
      await at.accept({ event: { id: 'evt_1', content: 'a', backend: 'gpu-1' } })
      const second = await at.accept({ event: { id: 'evt_1', content: 'b', backend: 'gpu-2' } })
      const any = await at.accept()
      const claimed = await at.store.claim({ ...LEASE, limit: 5, busyBackends: ['gpu-1'] })
      expect(claimed.map(({ id }) => id)).toEqual([second.id, any.id])
    })

    it('lets senders take turns: one ticket behind five hundred of another waits one round', async () => {
      await using at = await openStore()
      await Promise.all(Array.from({ length: 500 }, () => at.accept({ caller: 'greedy' })))
      await at.clock.advance(60_000)
      const one = await at.accept({ caller: 'modest' })
      const other = await at.accept({ caller: 'late' })
      const order: string[] = []
      for (let served = 0; served < 4; served++) order.push((await at.claimOne()).caller)
      expect(order).toEqual(['greedy', 'modest', 'late', 'greedy'])
      expect(await at.store.get(one.id)).toMatchObject({ runs: 1 })
      expect(await at.store.get(other.id)).toMatchObject({ runs: 1 })
    })

    it('lets each ticket of a modest sender wait one round of the others at most', async () => {
      await using at = await openStore()
      const rivals = ['a', 'b', 'c', 'd']
      const waiting = process.env.AI_TICKET_LONG === '1' ? 2_000 : 200
      await Promise.all(
        rivals.flatMap((caller) => Array.from({ length: waiting }, () => at.accept({ caller }))),
      )
      const waits: number[] = []
      for (let arrivals = 0; arrivals < 10; arrivals++) {
        await at.clock.advance(arrivals * 7_000)
        const { id } = await at.accept({ caller: 'modest' })
        for (let others = 0; ; others++) {
          const served = await at.claimOne()
          // They never have fewer waiting than before.
          if (served.id !== id) await at.accept({ caller: served.caller })
          else {
            waits.push(others)
            break
          }
        }
      }
      expect(Math.max(...waits)).toBeLessThanOrEqual(rivals.length)
    })

    it('lets senders take turns within one claim, and each its oldest first', async () => {
      await using at = await openStore()
      const ids: Record<string, string[]> = { a: [], b: [], c: [] }
      for (const caller of ['a', 'a', 'a', 'b', 'b', 'c']) {
        ids[caller]?.push((await at.accept({ caller })).id)
        await at.clock.advance(1)
      }
      const claimed = await at.store.claim({ ...LEASE, limit: 5 })
      expect(claimed.map(({ id }) => id)).toEqual([
        ids.a?.[0],
        ids.b?.[0],
        ids.c?.[0],
        ids.a?.[1],
        ids.b?.[1],
      ])
    })

    it('lets a backlog of low priority that has aged give way to others, and come to its turn', async () => {
      await using at = await openStore()
      await Promise.all(Array.from({ length: 20 }, () => at.accept({ caller: 'greedy', priority: -1 })))
      await at.clock.advance(3_600_000)
      const order: string[] = []
      for (let served = 0; served < 3; served++) {
        await at.accept({ caller: 'modest' })
        await at.accept({ caller: 'modest' })
        for (let claims = 0; claims < 2; claims++) order.push((await at.claimOne()).caller)
        await at.clock.advance(31_000)
      }
      expect(order.filter((caller) => caller === 'greedy')).toHaveLength(3)
      expect(order.slice(0, 2)).toEqual(['greedy', 'modest'])
    })

    it('puts priority before turns', async () => {
      await using at = await openStore()
      for (let number = 0; number < 3; number++) await at.accept({ caller: 'urgent', priority: 5 })
      await at.accept({ caller: 'other' })
      const claimed = await at.store.claim({ ...LEASE, limit: 9 })
      expect(claimed.map(({ caller }) => caller)).toEqual(['urgent', 'urgent', 'urgent', 'other'])
    })

    it('gives no turn away for tickets that could not be served, nor for those that begin later', async () => {
      await using at = await openStore()
      const gpu = { id: 'evt_1', content: 'a', backend: 'gpu-1' }
      for (let number = 0; number < 50; number++) await at.accept({ caller: 'greedy', event: gpu })
      for (let number = 0; number < 50; number++) {
        await at.accept({ caller: 'planner', notBefore: START + 60_000 })
      }
      for (let number = 0; number < 20; number++) {
        await at.accept({ caller: 'modest' })
        await at.store.claim({ ...LEASE, limit: 1, busyBackends: ['gpu-1'] })
      }
      await at.clock.advance(60_000)
      await at.accept({ caller: 'modest', event: gpu })
      const claimed = await at.store.claim({ ...LEASE, limit: 6 })
      const callers = claimed.map(({ caller }) => caller)
      expect(callers.filter((caller) => caller === 'modest')).toHaveLength(1)
      expect(callers.slice(0, 3).toSorted()).toEqual(['greedy', 'modest', 'planner'])
    })

    it('tells senders apart that have no key', async () => {
      await using at = await openStore()
      for (let number = 0; number < 3; number++) await at.accept({ sender: '10.0.0.1' })
      const { id, sender } = await at.accept({ sender: '10.0.0.2' })
      expect(sender).toBe('10.0.0.2')
      expect((await at.store.claim({ ...LEASE, limit: 2 }))[1]).toMatchObject({ id, caller: '', sender })
    })

    it('keeps the last tenth of its places for those who have few', async () => {
      await using at = await openStore(100)
      const send = async (caller: string) => (await at.store.accept(newTicket({ caller }))).type
      const fill = async (caller: string) => {
        let taken = 0
        while ((await send(caller)) === 'created') taken++
        return taken
      }
      expect(await fill('greedy')).toBe(90)
      expect(await fill('second')).toBe(1)
      expect(await at.store.accept(newTicket({ caller: 'greedy' }))).toEqual({
        type: 'full',
        queued: 91,
        capacity: 100,
        limit: 'sender',
      })
      for (const caller of ['c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']) expect(await fill(caller)).toBe(1)
      expect(await at.store.accept(newTicket({ caller: 'z' }))).toEqual({
        type: 'full',
        queued: 100,
        capacity: 100,
        limit: 'store',
      })
      for (let claimed = 0; claimed < 100; ) claimed += (await at.store.claim({ ...LEASE, limit: 50 })).length
      expect(await send('greedy')).toBe('created')
    })

    it('claims nothing before its time', async () => {
      await using at = await openStore()
      const ticket = await at.accept({ notBefore: START + 5_000 })
      expect(await at.store.claim({ ...LEASE, limit: 1 })).toEqual([])
      expect(await at.store.nextDueInMs()).toBe(5_000)
      await at.clock.advance(5_000)
      expect((await at.claimOne()).id).toBe(ticket.id)
      expect(await at.store.nextDueInMs()).toBeUndefined()
    })

    it('records the outcome of the holder, once', async () => {
      await using at = await openStore()
      await at.accept()
      const claimed = await at.claimOne()
      expect(claimed).toMatchObject({
        runs: 1,
        startedAt: START,
        state: { status: 'in_progress', owner: OWNER },
      })
      expect(await at.store.settle(claimed, ANSWER)).toBe(true)
      expect(await at.store.settle(claimed, REFUSAL)).toBe(false)
      expect(await at.store.release(claimed, { reason: 'retry' })).toBe(false)
      expect(await at.store.get(claimed.id)).toMatchObject({
        attempts: ANSWER.attempts,
        state: { status: 'completed', finishedAt: START, outcome: ANSWER },
      })
    })

    it('keeps a failure with its whole story', async () => {
      await using at = await openStore()
      await at.accept()
      const first = await at.claimOne()
      const lastFailure = { error: 'api_server_error', details: 'It broke.' } as const
      await at.store.release(first, {
        reason: 'retry',
        pauseMs: 1_000,
        attempts: REFUSAL.attempts,
        lastFailure,
        partial: 'Bec',
      })
      expect(await at.store.get(first.id)).toMatchObject({
        retries: 1,
        partial: 'Bec',
        lastFailure,
        state: { status: 'queued', notBefore: START + 1_000 },
      })
      await at.clock.advance(1_000)
      const second = await at.claimOne()
      expect(second).toMatchObject({ runs: 2 })
      expect(second.partial).toBeUndefined()
      await at.store.settle(second, REFUSAL)
      const ended = await at.store.get(first.id)
      expect(ended?.attempts).toHaveLength(2)
      expect(ended?.state).toMatchObject({ status: 'failed', outcome: REFUSAL })
    })

    it('gives an interrupted ticket its place back, and counts nothing against it', async () => {
      await using at = await openStore()
      const first = await at.accept()
      await at.clock.advance(1)
      await at.accept()
      await at.store.release(await at.claimOne(), { reason: 'interrupted' })
      expect((await at.claimOne()).id).toBe(first.id)
      expect(await at.store.get(first.id)).toMatchObject({ retries: 0, crashes: 0, runs: 2 })
    })

    it('keeps the call and the text so far', async () => {
      await using at = await openStore()
      await at.accept()
      const held = await at.claimOne()
      const call = { backend: 'kobold', endpoint: 'chat', key: 'KCPP1', startedAt: START }
      expect(await at.store.saveProgress(held, { call })).toBe(true)
      expect(await at.store.saveProgress(held, { partial: 'Because' })).toBe(true)
      expect(await at.store.get(held.id)).toMatchObject({ partial: 'Because', state: { call } })
    })

    it('holds a claim while it is told so, and gives it away when it is not', async () => {
      await using at = await openStore()
      await at.accept()
      const held = await at.claimOne()
      const rival = { owner: { worker: 'w2', session: 's2' }, leaseMs: 30_000, limit: 10 }
      await at.clock.advance(29_999)
      expect(await at.store.heartbeat([held], 30_000)).toEqual(['held'])
      await at.clock.advance(29_999)
      expect(await at.store.adopt(rival)).toEqual([])
      await at.clock.advance(1)
      const [adopted] = await at.store.adopt(rival)
      expect(adopted).toMatchObject({ id: held.id, state: { owner: rival.owner } })
      expect(await at.store.heartbeat([held], 30_000)).toEqual(['lost'])
      expect(await at.store.saveProgress(held, { partial: 'late' })).toBe(false)
      expect(await at.store.settle(held, ANSWER)).toBe(false)
      expect(await at.store.release(held, { reason: 'retry' })).toBe(false)
      expect(adopted && (await at.store.settle(adopted, ANSWER))).toBe(true)
    })

    it('gives a worker back at once what its earlier session held, with the call', async () => {
      await using at = await openStore()
      await at.accept()
      const held = await at.claimOne()
      const call = { backend: 'kobold', endpoint: 'chat', key: 'KCPP1', startedAt: START }
      await at.store.saveProgress(held, { call, partial: 'Bec' })
      expect(await at.store.adopt({ ...LEASE, limit: 10 })).toEqual([])
      const [adopted] = await at.store.adopt({ ...LEASE, owner: { ...OWNER, session: 's2' }, limit: 10 })
      expect(adopted).toMatchObject({ id: held.id, partial: 'Bec', state: { call } })
      expect(await at.store.settle(held, ANSWER)).toBe(false)
      expect(adopted && (await at.store.release(adopted, { reason: 'crashed' }))).toBe(true)
      const waiting = await at.store.get(held.id)
      expect(waiting).toMatchObject({ crashes: 1, retries: 0, state: { status: 'queued' } })
      expect(waiting?.attempts).toMatchObject([{ backend: 'kobold', endpoint: 'chat', result: 'cancelled' }])
    })

    it('keeps a log of its runs, and which of them made a call', async () => {
      await using at = await openStore()
      const { id } = await at.accept({ door: 'event' })
      const lost = REFUSAL.attempts[0] ?? ANSWER.attempts[0]
      if (lost === undefined) throw new Error('an attempt is needed')
      await at.clock.advance(10)
      await at.store.release(await at.claimOne(), { reason: 'retry', attempts: [lost] })
      await at.clock.advance(10)
      const held = await at.claimOne()
      const call = { backend: 'kobold', endpoint: 'chat', key: 'KCPP1', startedAt: START + 20 }
      await at.store.saveProgress(held, { call })
      const owner = { worker: 'w2', session: 's2' }
      await at.clock.advance(30_000)
      const [adopted] = await at.store.adopt({ owner, leaseMs: 30_000, limit: 1 })
      await at.store.release(adopted ?? held, { reason: 'crashed' })
      await at.clock.advance(5)
      const [last] = await at.store.claim({ owner, leaseMs: 30_000, limit: 1 })
      expect((await at.store.get(id))?.runLog?.at(-1)).toEqual({
        run: 3,
        worker: 'w2',
        claimedAt: START + 30_025,
      })
      await at.clock.advance(5)
      await at.store.settle(last ?? held, ANSWER)
      const ticket = await at.store.get(id)
      expect(ticket).toMatchObject({ door: 'event', runs: 3 })
      expect(ticket?.runLog).toEqual([
        { run: 1, worker: 'w1', claimedAt: START + 10, endedAt: START + 10, ended: 'retry' },
        { run: 2, worker: 'w1', claimedAt: START + 20, endedAt: START + 30_020, ended: 'crashed' },
        { run: 3, worker: 'w2', claimedAt: START + 30_025, endedAt: START + 30_030, ended: 'completed' },
      ])
      expect(ticket?.attempts.map(({ run }) => run)).toEqual([1, 2, ...ANSWER.attempts.map(() => 3)])
    })

    it('keeps the last hundred runs of a ticket that is interrupted again and again', async () => {
      await using at = await openStore()
      const { id } = await at.accept()
      for (let run = 0; run < 102; run++)
        await at.store.release(await at.claimOne(), { reason: 'interrupted' })
      const log = (await at.store.get(id))?.runLog ?? []
      expect([log.length, log[0]?.run, log.at(-1)?.run]).toEqual([100, 3, 102])
    })

    it('finds what came in by an API, together with other filters', async () => {
      await using at = await openStore()
      const times = { createdAt: START, finishedAt: START, caller: '', event: { content: 'Hi' } }
      await at.store.record([
        { eventId: 'e1', outcome: ANSWER, door: 'anthropic', ...times },
        { eventId: 'e2', outcome: REFUSAL, door: 'openai', ...times },
        { eventId: 'e3', outcome: REFUSAL, door: 'anthropic', ...times },
        { eventId: 'e4', outcome: ANSWER, ...times },
      ])
      await at.accept({ eventId: 'e5', door: 'tickets' })
      const found = async (query: Parameters<TicketStore['list']>[0]) => {
        const { rows } = await at.store.listRows(query)
        expect((await at.store.list(query)).tickets.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
        return rows.map(({ eventId }) => eventId).toSorted()
      }
      expect(await found({ door: 'anthropic' })).toEqual(['e1', 'e3'])
      expect(await found({ door: 'anthropic', statuses: ['failed'] })).toEqual(['e3'])
      expect(await found({ door: 'anthropic', eventId: 'e2' })).toEqual([])
      expect(await found({ door: 'tickets', text: 'why' })).toEqual(['e5'])
      expect(await found({ door: 'kobold' })).toEqual([])
      const { rows } = await at.store.listRows({})
      const doors = Object.fromEntries(rows.map(({ eventId, summary: { door } }) => [eventId, door]))
      expect(doors).toEqual({ e1: 'anthropic', e2: 'openai', e3: 'anthropic', e4: undefined, e5: 'tickets' })
      const [recorded] = (await at.store.list({ eventId: 'e1' })).tickets
      expect(recorded).toMatchObject({ door: 'anthropic' })
    })

    it('cancels a waiting ticket at once', async () => {
      await using at = await openStore()
      const ticket = await at.accept()
      const cancelled = await at.store.cancel(ticket.id)
      expect(cancelled?.state).toMatchObject({
        status: 'cancelled',
        outcome: { error: 'cancelled', id: 'evt_1' },
      })
      expect(await at.store.cancel(ticket.id)).toEqual(cancelled)
      expect(await at.store.claim({ ...LEASE, limit: 1 })).toEqual([])
      expect(await at.store.cancel('tkt_unknown')).toBeUndefined()
    })

    it('asks the holder of a running ticket to stop it', async () => {
      await using at = await openStore()
      await at.accept()
      const held = await at.claimOne()
      expect((await at.store.cancel(held.id))?.state.status).toBe('in_progress')
      expect(await at.store.heartbeat([held], 30_000)).toEqual(['cancelling'])
      expect(await at.store.release(held, { reason: 'interrupted' })).toBe(true)
      expect((await at.store.get(held.id))?.state.status).toBe('cancelled')
    })

    it('ends waiting tickets whose time is up', async () => {
      await using at = await openStore()
      const ticket = await at.accept({ expiresAt: START + 1_000 })
      const lasting = await at.accept()
      expect(await at.store.expire()).toBe(0)
      await at.clock.advance(1_000)
      expect(await at.store.expire()).toBe(1)
      expect((await at.store.get(ticket.id))?.state).toMatchObject({
        status: 'failed',
        outcome: { error: 'deadline_exceeded' },
      })
      expect((await at.store.get(lasting.id))?.state.status).toBe('queued')
    })

    it('lists the newest first, page by page, whatever comes in between', async () => {
      await using at = await openStore()
      const ids: string[] = []
      for (let number = 0; number < 5; number++) ids.unshift((await at.accept()).id)
      const first = await at.store.list({ limit: 2 })
      await at.accept()
      const second = await at.store.list({ limit: 2, ...cursorOf(first) })
      const third = await at.store.list({ limit: 2, ...cursorOf(second) })
      expect(idsOf(first, second, third)).toEqual(ids)
      expect(third.nextCursor).toBeUndefined()
    })

    it('filters by what is asked', async () => {
      await using at = await openStore()
      const asked = { backend: 'gpu-1', model: 'tiny', metadata: { team: 'a "b"' } }
      const failed = await at.accept({
        eventId: 'evt_f',
        event: { id: 'evt_f', content: '100% "sure"\n', ...asked },
      })
      await at.store.settle(await at.claimOne(), REFUSAL)
      await at.clock.advance(1_000)
      const answered = await at.accept({
        caller: 'ci',
        idempotency: { scope: '', key: 'k', fingerprint: 'f', ttlMs: 1 },
      })
      await at.store.settle(await at.claimOne(), ANSWER)
      const replay = await at.accept({ replayOf: failed.id })
      const found = async (query: Parameters<TicketStore['list']>[0]) => idsOf(await at.store.list(query))
      expect(await found({ statuses: ['failed'] })).toEqual([failed.id])
      expect(await found({ statuses: ['completed', 'queued'] })).toEqual([replay.id, answered.id])
      expect(await found({ model: 'tiny' })).toEqual([failed.id])
      expect(await found({ backend: 'kobold' })).toEqual([answered.id, failed.id])
      expect(await found({ error: 'api_client_error' })).toEqual([failed.id])
      expect(await found({ eventId: 'evt_f' })).toEqual([failed.id])
      expect(await found({ caller: 'ci' })).toEqual([answered.id])
      expect(await found({ idempotencyKey: 'k' })).toEqual([answered.id])
      expect(await found({ replayOf: failed.id })).toEqual([replay.id])
      expect(await found({ createdFrom: START + 1 })).toEqual([replay.id, answered.id])
      expect(await found({ createdBefore: START + 1 })).toEqual([failed.id])
      expect(await found({ metadata: { team: 'a "b"' } })).toEqual([failed.id])
      expect(await found({ metadata: { team: 'b' } })).toEqual([])
      expect(await found({ text: '0% "SURE"\n' })).toEqual([failed.id])
      expect(await found({ text: 'because of' })).toEqual([answered.id])
      expect(await found({ text: '_' })).not.toContain(failed.id)
      expect(await found({ kind: 'event' })).toEqual([])
    })

    it('lists in the order of time, however late something was recorded', async () => {
      await using at = await openStore()
      const at0 = await at.accept({ eventId: 'evt_now', event: { id: 'evt_now', content: 'Now' } })
      const earlier = [3_000, 1_000, 2_000].map((ago) => recordOf(`evt_${ago}`, START - ago))
      await at.store.record(earlier)
      const order = async (query: Parameters<TicketStore['list']>[0]) =>
        (await at.store.list(query)).tickets.map(({ eventId }) => eventId)
      expect(await order({})).toEqual([at0.eventId, 'evt_1000', 'evt_2000', 'evt_3000'])
      expect(await order({ createdFrom: START - 2_000, createdBefore: START })).toEqual([
        'evt_1000',
        'evt_2000',
      ])
      expect(await order({ statuses: ['completed', 'queued'], limit: 2 })).toEqual(['evt_now', 'evt_1000'])
    })

    it('gives recorded events back whole, with all their attempts', async () => {
      await using at = await openStore()
      const attempt: AttemptRecord = {
        backend: 'gpu1',
        endpoint: 'chat',
        number: 1,
        started_at: new Date(START).toISOString(),
        duration_ms: 12,
        waited_ms: 0,
        result: 'api_timeout',
        details: 'It said nothing.',
      }
      const failed = {
        error: 'api_timeout',
        details: 'It said nothing.',
        id: 'evt_bad',
        duration_ms: 12,
      } as const
      await at.store.record([
        { ...recordOf('evt_bad', START), caller: 'ci', outcome: { ...failed, attempts: [attempt] } },
      ])
      expect((await at.store.list({})).tickets).toMatchObject([
        {
          eventId: 'evt_bad',
          caller: 'ci',
          event: { content: 'Hay.' },
          startedAt: START,
          attempts: [attempt],
          state: { status: 'failed', finishedAt: START, outcome: { ...failed, attempts: [attempt] } },
        },
      ])
      expect((await at.store.list({ backend: 'gpu1', error: 'api_timeout' })).tickets).toHaveLength(1)
    })

    it('looks through so many a page, and further back with the cursor', async () => {
      await using at = await openStore()
      const needle = { ...recordOf('evt_old', START - 9_999), event: { content: 'A needle.' } }
      await at.store.record([needle])
      await at.store.record(
        Array.from({ length: 1_600 }, (_, number) => recordOf(`evt_${number}`, START - number)),
      )
      const first = await at.store.list({ text: 'NEEDLE' })
      expect(first.tickets).toEqual([])
      const second = await at.store.list({ text: 'NEEDLE', ...cursorOf(first) })
      expect(second.tickets).toMatchObject([{ eventId: 'evt_old' }])
      expect(second.nextCursor).toBeUndefined()
      // The rarest of several filters leads: there is nothing to look for.
      const rare = await at.store.list({ statuses: ['completed'], eventId: 'evt_old', text: 'needle' })
      expect(rare).toMatchObject({ tickets: [{ eventId: 'evt_old' }] })
      expect(rare.nextCursor).toBeUndefined()
    })

    it('finds metadata by all of it, and nothing of what was pruned', async () => {
      await using at = await openStore()
      const long = 'é'.repeat(300)
      const names = [`${long}a`, `${long}b`, 'short']
      for (const [number, value] of names.entries()) {
        const event = { content: 'x', metadata: { [long]: value, number } }
        await at.store.record([{ ...recordOf(`evt_${number}`, START + number), event }])
      }
      const found = async (metadata: Record<string, string>) =>
        (await at.store.list({ metadata })).tickets.map(({ eventId }) => eventId)
      expect(await found({ [long]: `${long}a` })).toEqual(['evt_0'])
      expect(await found({ [long]: 'short' })).toEqual(['evt_2'])
      expect(await found({ [long]: 'short', number: '2' })).toEqual([])
      await at.store.prune({ finishedBefore: START + 1 })
      expect(await found({ [long]: `${long}a` })).toEqual([])
      expect(await found({ [long]: `${long}b` })).toEqual(['evt_1'])
    })

    it('keeps events that were answered without a ticket', async () => {
      await using at = await openStore()
      const times = { createdAt: START - 5_000, finishedAt: START - 1_000 }
      await at.store.record([
        { event: { content: 'Hi' }, eventId: 'evt_2', caller: '', outcome: ANSWER, ...times },
        { event: null, eventId: 'evt_3', caller: '', outcome: REFUSAL, ...times },
      ])
      const { tickets } = await at.store.list({ kind: 'event' })
      expect(tickets).toMatchObject([
        { eventId: 'evt_3', event: null, state: { status: 'failed' } },
        { eventId: 'evt_2', event: { content: 'Hi' }, state: { status: 'completed' } },
      ])
      expect(await at.store.claim({ ...LEASE, limit: 5 })).toEqual([])
    })

    it('counts', async () => {
      await using at = await openStore()
      await at.accept()
      await at.clock.advance(10)
      await at.accept()
      await at.accept()
      await at.store.settle(await at.claimOne(), ANSWER)
      await at.claimOne()
      expect(await at.store.stats()).toEqual({
        byStatus: { queued: 1, in_progress: 1, completed: 1, failed: 0, cancelled: 0 },
        oldestQueuedAt: START + 10,
      })
    })

    it('removes one ticket that has ended, with its callback, and no other', async () => {
      const at = await openStore()
      const { id } = await at.accept()
      const other = await at.accept()
      expect(await at.store.remove(id)).toBe(false)
      await at.store.cancel(id)
      expect(await at.store.remove(id)).toBe(true)
      expect(await at.store.remove(id)).toBe(false)
      expect(await at.store.get(id)).toBeUndefined()
      expect(await at.store.get(other.id)).toBeDefined()
      expect((await at.store.stats()).byStatus).toMatchObject({ cancelled: 0, queued: 1 })
    })

    it('prunes finished tickets by age and by number, and never others', async () => {
      await using at = await openStore()
      const waiting = await at.accept({ notBefore: START + 999_999 })
      const finished: Ticket[] = []
      for (let number = 0; number < 4; number++) {
        await at.accept()
        const held = await at.claimOne()
        await at.store.settle(held, ANSWER)
        finished.unshift(held)
        await at.clock.advance(1_000)
      }
      expect(await at.store.prune({})).toBe(0)
      expect(await at.store.prune({ finishedBefore: START + 1_000 })).toBe(1)
      expect(await at.store.prune({ keep: 2 })).toBe(1)
      const left = idsOf(await at.store.list({}))
      expect(left).toEqual([finished[0]?.id, finished[1]?.id, waiting.id])
      expect((await at.store.stats()).byStatus).toMatchObject({ completed: 2, queued: 1 })
    })

    it('keeps dead letters by a time of their own, and says beforehand how many go', async () => {
      await using at = await openStore()
      const ends = [ANSWER, REFUSAL, ANSWER, REFUSAL]
      const ids: string[] = []
      for (const outcome of ends) {
        await at.accept()
        const held = await at.claimOne()
        await at.store.settle(held, outcome)
        ids.push(held.id)
        await at.clock.advance(1_000)
      }
      // One that somebody waited for has told its caller: it is no dead letter.
      const times = { createdAt: START, finishedAt: START }
      await at.store.record([{ event: null, eventId: 'evt_2', caller: '', outcome: REFUSAL, ...times }])
      const [, second, third, fourth] = ids
      const left = async () => idsOf(await at.store.list({ kind: 'ticket' })).toReversed()
      expect(await at.store.prune({ keep: 0, dryRun: true })).toBe(3)
      expect(await at.store.prune({ finishedBefore: START + 2_000, dryRun: true })).toBe(3)
      expect(await left()).toEqual(ids)
      expect(await at.store.prune({ finishedBefore: START + 2_000, deadLettersBefore: 0 })).toBe(2)
      expect(await left()).toEqual([second, third, fourth])
      expect((await at.store.list({ kind: 'event' })).tickets).toEqual([])
      expect(await at.store.prune({ keep: 1 })).toBe(0)
      expect(await at.store.prune({ deadLettersBefore: START + 2_000, keep: 0 })).toBe(2)
      expect(await left()).toEqual([fourth])
    })

    it('keeps counted minutes of each worker, replaces them, gives six hours at a time, and prunes them by age', async () => {
      await using at = await openStore()
      const minute = (number: number, counts: string, worker = 'w1') => ({
        ...{ worker, counts, at: START + number * 60_000 },
      })
      const all = { worker: 'w1', from: START, before: START + 10 * DAY_MS }
      expect(await at.store.listMinutes(all)).toEqual([])
      await at.store.saveMinutes([minute(1, 'later'), minute(0, 'former'), minute(0, 'other', 'w2')])
      await at.store.saveMinutes([minute(1, '{"started":1}')])
      expect(await at.store.listMinutes(all)).toEqual([minute(0, 'former'), minute(1, '{"started":1}')])
      expect(await at.store.listMinutes({ ...all, from: START + 1, before: START + 60_000 })).toEqual([])
      expect(await at.store.listMinutes({ ...all, worker: 'w2' })).toEqual([minute(0, 'other', 'w2')])
      const more = Array.from({ length: 400 }, (_, number) => minute(number + 2, ''))
      await at.store.saveMinutes(more)
      const some = await at.store.listMinutes(all)
      expect(some).toHaveLength(360)
      const rest = await at.store.listMinutes({ ...all, from: (some.at(-1)?.at ?? 0) + 1 })
      expect([...some, ...rest].slice(2)).toEqual(more)

      await at.store.prune({ minutesBefore: START + 60_000, dryRun: true })
      await at.store.prune({ finishedBefore: START + 60_000 })
      expect(await at.store.listMinutes({ ...all, worker: 'w2' })).toHaveLength(1)
      expect(await at.store.prune({ minutesBefore: START + 60_000 })).toBe(0)
      expect(await at.store.listMinutes({ ...all, worker: 'w2' })).toEqual([])
      expect((await at.store.listMinutes(all))[0]).toEqual(minute(1, '{"started":1}'))
    })

    it('tells who listens about every change', async () => {
      await using at = await openStore()
      const heard: string[] = []
      const stop = at.store.subscribe((id) => heard.push(id))
      const { id } = await at.accept()
      const held = await at.claimOne()
      await at.store.settle(held, ANSWER)
      expect(heard).toEqual([id, id, id])
      stop()
      await at.accept()
      expect(heard).toHaveLength(3)
    })

    it('refuses work after it is closed, and may be closed twice', async () => {
      const at = await openStore()
      const accepting = at.store.accept(newTicket())
      await at.store.close()
      expect((await accepting).type).toBe('created')
      await at.store.close()
      await expect(at.store.accept(newTicket())).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(at.store.get('tkt_1')).rejects.toMatchObject({ code: 'store_unavailable' })
    })

    it('says to a list that is being read when it closes that it is closed', async () => {
      const at = await openStore()
      await at.accept()
      const listing = at.store.list({ limit: 10 }).then(
        ({ tickets }) => tickets.length,
        (error: unknown) => error,
      )
      await at.store.close()
      const heard = await listing
      if (heard !== 1) expect(heard).toMatchObject({ code: 'store_unavailable' })
    })
  })
}

const ATTEMPT = {
  backend: 'kobold',
  endpoint: 'chat',
  number: 1,
  started_at: '2027-01-15T08:00:00.000Z',
  duration_ms: 5,
  waited_ms: 0,
}

export const ANSWER: SuccessOutcome = {
  completion: 'Because of the light.',
  id: 'evt_1',
  model: 'small',
  backend: 'kobold',
  endpoint: 'chat',
  finish_reason: 'stop',
  usage: { prompt_tokens: 3, completion_tokens: 5 },
  duration_ms: 5,
  attempts: [{ ...ATTEMPT, result: 'completed' }],
}

export const REFUSAL: FailureOutcome = {
  error: 'api_client_error',
  details: 'The backend refused the request.',
  id: 'evt_1',
  duration_ms: 5,
  attempts: [{ ...ATTEMPT, result: 'api_client_error' }],
}

const idsOf = (...pages: readonly { readonly tickets: readonly Ticket[] }[]) =>
  pages.flatMap(({ tickets }) => tickets.map(({ id }) => id))

const cursorOf = ({ nextCursor }: { readonly nextCursor?: string }) =>
  nextCursor === undefined ? {} : { cursor: nextCursor }
