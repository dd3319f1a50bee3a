import type { AttemptRecord } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { describe, expect, it } from 'vitest'
import type { NewTicket, TicketOwner, TicketStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'
import { ANSWER, type OpenStoreOptions, REFUSAL } from './ticket-store-contract.ts'

/** What every store must do for rows of lists. `open` gives an empty one. */
export function describeTicketRows(
  name: string,
  open: (options: OpenStoreOptions) => Promise<TicketStore>,
): void {
  const START = 1_800_000_000_000
  const OWNER: TicketOwner = { worker: 'w1', session: 's1' }
  const LOST: AttemptRecord = {
    backend: 'kobold',
    endpoint: 'chat',
    number: 1,
    started_at: new Date(START).toISOString(),
    duration_ms: 700,
    waited_ms: 0,
    result: 'api_timeout',
  }

  async function openStore() {
    const clock = createVirtualClock({ startAt: START })
    const store = await open({ clock })
    const accept = async (given: Partial<NewTicket> = {}) => {
      const accepted = await store.accept(newTicket(given))
      if (!('ticket' in accepted)) throw new Error(`not accepted: ${accepted.type}`)
      return accepted.ticket
    }
    const claimOne = async () => {
      const [ticket] = await store.claim({ owner: OWNER, leaseMs: 30_000, limit: 1 })
      if (ticket === undefined) throw new Error('nothing was claimed')
      return ticket
    }
    const idsOf = async (query: Parameters<TicketStore['listRows']>[0]) =>
      (await store.listRows(query)).rows.map(({ eventId }) => eventId)
    return { store, clock, accept, claimOne, idsOf, [Symbol.asyncDispose]: () => store.close() }
  }

  describe(`rows of ${name}`, () => {
    it('show what a table shows, at each step of a ticket', async () => {
      await using at = await openStore()
      const content = `${'x'.repeat(159)}😀 and more`
      await at.accept({ event: { content }, priority: 3, caller: 'ci', replayOf: 'tkt_0' })
      expect((await at.store.listRows({})).rows).toEqual([
        {
          id: expect.stringMatching(/^tkt_/),
          eventId: 'evt_1',
          kind: 'ticket',
          status: 'queued',
          caller: 'ci',
          priority: 3,
          createdAt: START,
          seq: expect.any(Number),
          replayOf: 'tkt_0',
          runs: 0,
          summary: { prompt: 'x'.repeat(159), answer: null, attempts: 0, usage: null, wastedMs: 0 },
        },
      ])
      await at.clock.advance(40)
      const held = await at.claimOne()
      await at.store.release(held, { reason: 'retry', attempts: [LOST] })
      expect((await at.store.listRows({})).rows).toMatchObject([
        { status: 'queued', runs: 1, summary: { attempts: 1, wastedMs: 700 } },
      ])
      const again = await at.claimOne()
      const call = { backend: 'gpu', endpoint: 'chat', key: 'k', startedAt: START }
      await at.store.saveProgress(again, { call })
      expect((await at.store.listRows({})).rows).toMatchObject([{ status: 'in_progress', backend: 'gpu' }])
      await at.clock.advance(5)
      await at.store.settle(again, { ...ANSWER, waited_ms: 3 })
      expect((await at.store.listRows({})).rows).toMatchObject([
        {
          status: 'completed',
          runs: 2,
          startedAt: START + 40,
          finishedAt: START + 45,
          backend: 'kobold',
          model: 'small',
          summary: {
            prompt: 'x'.repeat(159),
            answer: 'Because of the light.',
            attempts: 2,
            waitedMs: 43,
            durationMs: 5,
            usage: { prompt_tokens: 3, completion_tokens: 5 },
            wastedMs: 700,
          },
        },
      ])
    })

    it('say in which order those of one millisecond come', async () => {
      await using at = await openStore()
      for (const eventId of ['evt_1', 'evt_2', 'evt_3']) await at.accept({ eventId })
      const { rows } = await at.store.listRows({})
      expect(rows.map(({ createdAt }) => createdAt)).toEqual([START, START, START])
      expect(rows.map(({ eventId }) => eventId)).toEqual(['evt_3', 'evt_2', 'evt_1'])
      expect(rows.map(({ seq }) => seq)).toEqual(
        rows.map(({ seq }) => seq).toSorted((one, other) => other - one),
      )
      expect(new Set(rows.map(({ seq }) => seq)).size).toBe(3)
    })

    it('show the prompt of every form of content', async () => {
      await using at = await openStore()
      const user = (content: unknown) => ({ role: 'user', content })
      const forms: [content: unknown, shown: string][] = [
        [['One.', 'Two.'], 'Two.'],
        [[user('Why?'), { role: 'assistant', content: 'So.' }], 'Why?'],
        [
          { messages: [user('First?'), user([{ type: 'text', text: 'Look' }, { type: 'image_url' }])] },
          'Look',
        ],
        [[{ type: 'text', text: 'A part' }], 'A part'],
        [{ prompt: 'Sort it', max_tokens: 3 }, 'Sort it'],
        [{ order: 4711 }, '{"order":4711}'],
        ['nul \0 and \ud800 half', expect.stringMatching(/^nul \0 and . half$/)],
      ]
      for (const [index, [content]] of forms.entries()) {
        await at.accept({ event: { content }, eventId: `evt_${index}` })
        await at.clock.advance(1)
      }
      const { rows } = await at.store.listRows({})
      expect(rows.toReversed().map(({ summary }) => summary.prompt)).toEqual(forms.map(([, shown]) => shown))
    })

    it('hold no name that is too long to be one, of an event that was refused for it', async () => {
      await using at = await openStore()
      const event = { content: 'Why?', model: 'm'.repeat(257), backend: 'b'.repeat(1_000_000) }
      await at.store.record([
        { event, eventId: 'evt_1', caller: '', outcome: REFUSAL, createdAt: START, finishedAt: START },
      ])
      const [row] = (await at.store.listRows({})).rows
      expect(row).not.toHaveProperty('model')
      expect(JSON.stringify(row).length).toBeLessThan(1_000)
    })

    it('keep no content where the history keeps none', async () => {
      await using at = await openStore()
      const times = { createdAt: START - 9, finishedAt: START }
      await at.store.record([
        { event: null, eventId: 'evt_1', caller: '', outcome: { ...ANSWER, completion: '' }, ...times },
      ])
      expect((await at.store.listRows({})).rows).toMatchObject([
        { kind: 'event', status: 'completed', summary: { prompt: null, answer: null, waitedMs: 0 } },
      ])
    })

    it('are filtered as tickets are, and by callback, waste and id', async () => {
      await using at = await openStore()
      const plain = await at.accept({ eventId: 'plain' })
      await at.clock.advance(1)
      await at.accept({ eventId: 'called', callbackUrl: 'https://hooks.example.com/x' })
      expect(await at.idsOf({ callback: 'waiting' })).toEqual(['called'])
      await at.store.settle(await at.claimOne(), REFUSAL)
      await at.store.settle(await at.claimOne(), { ...REFUSAL, attempts: [LOST] })
      expect(await at.idsOf({ isWasted: true })).toEqual(['called', 'plain'])
      expect(await at.idsOf({ isWasted: true, statuses: ['completed'] })).toEqual([])
      expect(await at.idsOf({ callback: 'waiting' })).toEqual([])
      expect(await at.idsOf({ callback: 'pending', statuses: ['failed'] })).toEqual(['called'])
      expect(await at.idsOf({ statuses: ['failed'], isWasted: true, callback: 'pending' })).toEqual([
        'called',
      ])
      const [claimed] = await at.store.callbacks.claim({ limit: 1, leaseMs: 1_000 })
      const { ticketId, token } = claimed?.delivery ?? { ticketId: '', token: 0 }
      const taken = { at: START, durationMs: 1 }
      await at.store.callbacks.record({ ticketId, token }, taken, { status: 'delivered' })
      expect((await at.store.list({ callback: 'delivered' })).tickets).toMatchObject([{ eventId: 'called' }])
      expect((await at.store.listRows({ callback: 'delivered' })).rows).toMatchObject([
        { callback: 'delivered' },
      ])
      expect(await at.idsOf({ ids: [plain.id, 'tkt_none'] })).toEqual(['plain'])
      expect(await at.idsOf({ ids: [plain.id], callback: 'delivered' })).toEqual([])
      expect(await at.idsOf({ text: 'why' })).toEqual(['called', 'plain'])
      await at.store.prune({ finishedBefore: START + 10_000 })
      expect(await at.idsOf({ isWasted: true })).toEqual([])
      expect(await at.idsOf({ callback: 'delivered' })).toEqual([])
    })

    it('come page by page, and many large tickets make no page shorter', async () => {
      await using at = await openStore()
      for (let number = 0; number < 5; number++) {
        await at.accept({ eventId: `evt_${number}`, event: { content: 'y'.repeat(2_000_000) } })
        await at.clock.advance(1)
      }
      const first = await at.store.listRows({ limit: 4 })
      expect(first.rows.map(({ eventId }) => eventId)).toEqual(['evt_4', 'evt_3', 'evt_2', 'evt_1'])
      const { nextCursor: cursor = '' } = first
      expect((await at.store.listRows({ limit: 4, cursor })).rows).toMatchObject([{ eventId: 'evt_0' }])
    })

    it('hear of recorded events, too', async () => {
      await using at = await openStore()
      const heard: string[] = []
      const stop = at.store.subscribe((id) => heard.push(id))
      const times = { createdAt: START, finishedAt: START }
      await at.store.record([{ event: null, eventId: 'evt_1', caller: '', outcome: ANSWER, ...times }])
      stop()
      expect(await at.idsOf({ ids: heard })).toEqual(['evt_1'])
    })
  })
}
