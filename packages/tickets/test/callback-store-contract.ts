import { createVirtualClock } from '@ai-ticket/testkit'
import { describe, expect, it } from 'vitest'
import type { DeliveryAttempt, NewTicket, Ticket, TicketOwner, TicketStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'
import { ANSWER, type OpenStoreOptions, REFUSAL } from './ticket-store-contract.ts'

/** What every store must do for callbacks. `open` gives an empty one. */
export function describeCallbackStore(
  name: string,
  open: (options: OpenStoreOptions) => Promise<TicketStore>,
): void {
  const START = 1_800_000_000_000
  const OWNER: TicketOwner = { worker: 'w1', session: 's1' }
  const URL = 'https://hooks.example.com/done?secret=ü\uE000'
  const CLAIM = { limit: 10, leaseMs: 30_000 }
  const REFUSED: DeliveryAttempt = { at: START, durationMs: 3, status: 500, error: 'refused', details: 'no' }
  const TAKEN: DeliveryAttempt = { at: START, durationMs: 3, status: 204 }
  const RETRY = { status: 'pending', retryInMs: 5_000 } as const

  async function openStore() {
    const virtual = createVirtualClock({ startAt: START })
    let shiftMs = 0
    const clock = { ...virtual, wallTime: () => virtual.wallTime() + shiftMs }
    const setClock = (byMs: number) => {
      shiftMs += byMs
    }
    const store = await open({ clock })
    const accept = async (given: Partial<NewTicket> = {}) => {
      const accepted = await store.accept(newTicket({ callbackUrl: URL, ...given }))
      if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
      return accepted.ticket
    }
    const hold = async () => {
      const [held] = await store.claim({ owner: OWNER, leaseMs: 30_000, limit: 1 })
      if (held === undefined) throw new Error('nothing was claimed')
      return held
    }
    const end = async (given: Partial<NewTicket> = {}): Promise<Ticket> => {
      await accept(given)
      const held = await hold()
      await store.settle(held, ANSWER)
      return held
    }
    const deliveryOf = async (id: string) => (await store.callbacks.find([id])).get(id)
    const claimOne = async () => {
      const [claimed, ...others] = await store.callbacks.claim(CLAIM)
      if (claimed === undefined || others.length > 0) throw new Error('not exactly one was claimed')
      return claimed.delivery
    }
    const dispose = () => store.close()
    return { store, clock, setClock, accept, hold, end, deliveryOf, claimOne, [Symbol.asyncDispose]: dispose }
  }

  describe(`${name} as a store of callbacks`, () => {
    it('writes a delivery when a ticket is answered, not before', async () => {
      await using at = await openStore()
      const { id } = await at.accept()
      expect((await at.store.get(id))?.callbackUrl).toBe(URL)
      const held = await at.hold()
      expect(await at.deliveryOf(id)).toBeUndefined()
      expect(await at.store.callbacks.nextDueInMs()).toBeUndefined()
      await at.clock.advance(1_000)
      await at.store.settle(held, ANSWER)
      const delivery = {
        ticketId: id,
        url: URL,
        status: 'pending',
        dueAt: START + 1_000,
        pausedAt: START + 1_000,
        token: 0,
        tries: 0,
        attempts: [],
      }
      expect(await at.deliveryOf(id)).toEqual(delivery)
      expect(await at.store.callbacks.nextDueInMs()).toBe(0)
      expect(await at.store.callbacks.pending()).toBe(1)
    })

    it('writes none for a ticket that wants none, and none for a lost claim', async () => {
      await using at = await openStore()
      const accepted = await at.store.accept(newTicket())
      const silent = await at.hold()
      await at.store.settle(silent, ANSWER)
      const { id } = await at.accept()
      const held = await at.hold()
      await at.store.settle({ ...held, token: held.token - 1 }, ANSWER)
      expect(accepted.type).toBe('created')
      expect((await at.store.callbacks.find([silent.id, id])).size).toBe(0)
    })

    it.each<[string, (at: Awaited<ReturnType<typeof openStore>>, id: string) => Promise<unknown>]>([
      ['fails', async ({ store, hold }) => store.settle(await hold(), REFUSAL)],
      ['is cancelled while it waits', ({ store }, id) => store.cancel(id)],
      [
        'is cancelled while it runs',
        async ({ store, hold }, id) => {
          const held = await hold()
          await store.cancel(id)
          await store.release(held, { reason: 'interrupted' })
        },
      ],
      [
        'expires',
        async ({ store, clock }) => {
          await clock.advance(60_000)
          await store.expire()
        },
      ],
    ])('writes one delivery, and only one, for a ticket that %s', async (_how, endIt) => {
      await using at = await openStore()
      const { id } = await at.accept({ expiresAt: START + 60_000 })
      await endIt(at, id)
      const ticket = await at.store.get(id)
      expect(['failed', 'cancelled']).toContain(ticket?.state.status)
      expect(await at.deliveryOf(id)).toMatchObject({ status: 'pending', tries: 0 })
      await at.store.cancel(id)
      await at.store.expire()
      const claimed = await at.store.callbacks.claim(CLAIM)
      expect(claimed).toMatchObject([{ delivery: { ticketId: id, token: 1 }, ticket: { id } }])
      expect(claimed[0]?.ticket).toEqual(ticket)
    })

    it('gives a delivery to one sender, and to another when the lease is over', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      const both = await Promise.all([at.store.callbacks.claim(CLAIM), at.store.callbacks.claim(CLAIM)])
      expect(both.flat()).toHaveLength(1)
      await at.clock.advance(29_999)
      expect(await at.store.callbacks.claim(CLAIM)).toEqual([])
      expect(await at.store.callbacks.nextDueInMs()).toBe(1)
      await at.clock.advance(1)
      expect(await at.claimOne()).toMatchObject({ ticketId: id, token: 2, tries: 0, attempts: [] })
    })

    it('takes the oldest first, as many as are asked for, and none of a busy host', async () => {
      await using at = await openStore()
      const busy = await at.end({ callbackUrl: 'https://busy.example.com:8443/x' })
      await at.clock.advance(1)
      const first = await at.end()
      await at.clock.advance(1)
      const second = await at.end()
      const ids = async (limit: number, busyHosts: string[]) =>
        (await at.store.callbacks.claim({ ...CLAIM, limit, busyHosts })).map(({ ticket: { id } }) => id)
      expect(await ids(1, ['busy.example.com:8443'])).toEqual([first.id])
      expect(await ids(5, ['busy.example.com:8443'])).toEqual([second.id])
      expect(await ids(5, [])).toEqual([busy.id])
    })

    it('sends what was due, or paused, before the clock was set back', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      at.setClock(-5 * 3_600_000)
      expect(await at.store.callbacks.nextDueInMs()).toBeLessThanOrEqual(0)
      const { token } = await at.claimOne()
      const attempt = { at: START, durationMs: 1, error: 'timeout' as const }
      await at.store.callbacks.record({ ticketId: id, token }, attempt, {
        status: 'pending',
        retryInMs: 5_000,
      })
      expect(await at.store.callbacks.nextDueInMs()).toBe(5_000)
      at.setClock(-3_600_000)
      await at.claimOne()
    })

    it('keeps every attempt, and sends again when it is time', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      const { callbacks } = at.store
      expect(await callbacks.record(await at.claimOne(), REFUSED, RETRY)).toBe(true)
      expect(await at.deliveryOf(id)).toMatchObject({
        status: 'pending',
        dueAt: START + 5_000,
        tries: 1,
        attempts: [REFUSED],
      })
      expect(await callbacks.claim(CLAIM)).toEqual([])
      await at.clock.advance(5_000)
      expect(await callbacks.record(await at.claimOne(), TAKEN, { status: 'delivered' })).toBe(true)
      const delivered = { status: 'delivered', tries: 2, attempts: [REFUSED, TAKEN] }
      expect(await at.deliveryOf(id)).toMatchObject(delivered)
      expect(await callbacks.nextDueInMs()).toBeUndefined()
      expect(await callbacks.pending()).toBe(0)
    })

    it('lets a sender that lost the delivery add to its history and change nothing else', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      const { callbacks } = at.store
      const slow = await at.claimOne()
      await at.clock.advance(30_000)
      const quick = await at.claimOne()
      expect(await callbacks.record(slow, REFUSED, { status: 'dead' })).toBe(false)
      expect(await at.deliveryOf(id)).toMatchObject({ status: 'pending', tries: 0, attempts: [REFUSED] })
      expect(await callbacks.record(quick, TAKEN, { status: 'delivered' })).toBe(true)
      expect(await callbacks.record(slow, REFUSED, RETRY)).toBe(false)
      expect(await callbacks.record(quick, REFUSED, RETRY)).toBe(false)
      expect((await at.deliveryOf(id))?.status).toBe('delivered')
    })

    it('sends again when somebody asks, with a new round of attempts', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      const { callbacks } = at.store
      await callbacks.record(await at.claimOne(), REFUSED, { status: 'dead' })
      const told: string[] = []
      callbacks.subscribe((ticketId) => told.push(ticketId))
      await at.clock.advance(1_000)
      const again = { ticketId: id, status: 'pending', dueAt: START + 1_000, tries: 0, attempts: [REFUSED] }
      expect(await callbacks.resend(id)).toMatchObject(again)
      expect(told).toEqual([id])
      expect(await at.claimOne()).toMatchObject({ ticketId: id })
      const waiting = await at.accept()
      expect(await callbacks.resend(waiting.id)).toBeUndefined()
      expect(await callbacks.resend('tkt_unknown')).toBeUndefined()
    })

    it('says when a delivery is due, once it is on disk', async () => {
      await using at = await openStore()
      const heard: Promise<number>[] = []
      const stop = at.store.callbacks.subscribe((id) =>
        heard.push(at.store.callbacks.find([id]).then(({ size }) => size)),
      )
      await at.end()
      const { id } = await at.accept()
      await at.store.cancel(id)
      expect(await Promise.all(heard)).toEqual([1, 1])
      stop()
      await at.end()
      expect(heard).toHaveLength(2)
    })

    it('counts those that were given up, as far as is asked', async () => {
      await using at = await openStore()
      const { callbacks } = at.store
      const ids: string[] = []
      for (let number = 0; number < 3; number++) {
        ids.push((await at.end()).id)
        await callbacks.record(await at.claimOne(), REFUSED, { status: 'dead' })
      }
      await at.end()
      expect(await Promise.all([2, 3, 200].map((limit) => callbacks.dead(limit)))).toEqual([2, 3, 3])
      await callbacks.resend(ids[0] ?? '')
      expect(await callbacks.dead(200)).toBe(2)
      expect(await callbacks.pending()).toBe(2)
    })

    it('removes deliveries with their tickets', async () => {
      await using at = await openStore()
      const { id } = await at.end()
      await at.clock.advance(1_000)
      const young = await at.end()
      expect(await at.store.prune({ finishedBefore: START + 1_000 })).toBe(1)
      expect([...(await at.store.callbacks.find([id, young.id])).keys()]).toEqual([young.id])
      expect(await at.store.callbacks.pending()).toBe(1)
    })
  })
}
