import { expect, it } from 'vitest'
import { createSqliteStore, type TicketStore } from '../src/index.ts'
import { openTicketServer, readEvents } from './open-ticket-server.ts'

const READERS = 100
const SLOW = { answer: () => 'one two three '.repeat(20), tokensPerSecond: 30 }

it('reads a ticket once for all who wait for it, and once for all who follow it', {
  timeout: 60_000,
}, async () => {
  const counted = countReads(createSqliteStore({ directory: ':memory:' }))
  await using at = await openTicketServer({
    store: counted.store,
    simulated: SLOW,
    desk: { progressMs: 50 },
  })
  const { body } = await at.post('/tickets', { content: `Why? ${'x'.repeat(1_000)}`, id: 'evt_1' })
  const own = `/tickets/${body.id}`
  const streams = Array.from({ length: READERS }, () => at.get(own, { accept: 'text/event-stream' }))
  const waits = Array.from({ length: READERS }, () => at.get(`${own}?wait=5m`))
  const [streamed, waited] = await Promise.all([Promise.all(streams), Promise.all(waits)])
  for (const { text } of streamed) expect(readEvents(text).at(-1)).toMatchObject({ event: 'done' })
  for (const one of waited) expect(one).toMatchObject({ status: 200, body: { status: 'completed' } })
  expect(new Set(waited.map(({ text }) => text)).size).toBe(1)
  // Whole, it is read when its call begins, with what is saved of its text, and when it has ended: not by each who comes.
  expect(counted.gets()).toBeLessThan(READERS)
})

it('refuses a search whose text is as long as a page', async () => {
  await using at = await openTicketServer()
  expect(await at.get(`/tickets?text=${'a'.repeat(256)}`)).toMatchObject({ status: 200 })
  expect(await at.get(`/tickets?text=${'a'.repeat(257)}`)).toMatchObject({
    status: 400,
    body: { error: 'invalid_input_format', details: expect.stringContaining('256') },
  })
})

/** How often whole tickets were read. */
function countReads(store: TicketStore) {
  let gets = 0
  return {
    store: {
      ...store,
      get: (id: string) => {
        gets += 1
        return store.get(id)
      },
    },
    gets: () => gets,
  }
}
