import { describe, expect, it } from 'vitest'
import { createSqliteStore, StoreUnavailable, type TicketStore } from '../src/index.ts'
import { EMPTY_STORES } from './open-pglite-store.ts'
import { openTicketServer, readEvents } from './open-ticket-server.ts'

const SLOW = { answer: () => 'one two three '.repeat(10), tokensPerSecond: 40 }

describe.each(EMPTY_STORES)('while %s is away', { timeout: 120_000 }, (_name, open) => {
  it('every address says so, and when to come back', async () => {
    const away = removable(await open())
    await using at = await openTicketServer({ store: away.store })
    const { body } = await at.post('/tickets', { content: 'Why?' })
    const own = `/tickets/${body.id}`
    const stream = { accept: 'text/event-stream' }
    away.leave()
    const answers = await Promise.all([
      at.get('/tickets'),
      at.get('/tickets/stats'),
      at.get(own),
      at.get(`${own}?wait=1s`),
      at.get(own, stream),
      at.get(`${own}/callbacks`),
      at.delete(own),
      at.post(`${own}/replay`, {}),
      at.post(`${own}/callbacks/resend`, {}),
      at.post('/tickets/prune', { finished_before: '2020-01-31T08:00:00Z' }),
      at.post('/tickets', { content: 'Why?' }),
      at.post('/event', { content: 'Why?' }, { prefer: 'respond-async' }),
    ])
    for (const { status, headers, body: failure } of answers) {
      expect({ status, error: failure.error }).toEqual({ status: 503, error: 'store_unavailable' })
      expect(headers.get('retry-after')).toBe('1')
    }
  })

  it('who waits goes on waiting, and a stream goes on to its `done`', async () => {
    const away = removable(await open())
    await using at = await openTicketServer({ store: away.store, simulated: SLOW })
    const { body } = await at.post('/tickets', { content: 'Why?' })
    const own = `/tickets/${body.id}`
    const waits = [
      at.get(`${own}?wait=5m`),
      at.get(own, { accept: 'text/event-stream' }),
      at.post('/event', { content: 'What?', id: 'evt_2' }, { 'idempotency-key': 'k' }),
    ]
    await at.simulator.waitForCall()
    await expect.poll(async () => (await at.store.stats()).byStatus.queued).toBe(1)
    away.leave()
    while (away.refused() < 5) await new Promise((resolve) => setTimeout(resolve, 20))
    away.comeBack()
    const [waited, streamed, kept] = await Promise.all(waits)
    expect(waited).toMatchObject({ status: 200, body: { status: 'completed' } })
    expect(readEvents(streamed?.text ?? '').at(-1)).toMatchObject({ event: 'done' })
    expect(kept).toMatchObject({ status: 200, body: { id: 'evt_2' } })
  })

  it('who has waited long enough gets the ticket as it was known', async () => {
    const away = removable(await open())
    await using at = await openTicketServer({ store: away.store, simulated: { tokensPerSecond: 1 } })
    const { body } = await at.post('/tickets', { content: 'Why?' })
    const waited = at.get(`/tickets/${body.id}?wait=300ms`)
    await at.simulator.waitForCall()
    away.leave()
    expect(await waited).toMatchObject({ status: 200, body: { id: body.id } })
    away.comeBack()
  })
})

it('a stream that a bug breaks ends with `error`', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  let isBroken = false
  const broken: TicketStore = {
    ...store,
    peek: async (id) => {
      if (isBroken) throw new TypeError('A bug.')
      return await store.peek(id)
    },
  }
  await using at = await openTicketServer({ store: broken, simulated: SLOW })
  const { body } = await at.post('/tickets', { content: 'Why?' })
  const streamed = at.get(`/tickets/${body.id}`, { accept: 'text/event-stream' })
  await at.simulator.waitForCall()
  isBroken = true
  expect(readEvents((await streamed).text).at(-1)).toMatchObject({
    event: 'error',
    data: { error: 'internal_error', status: 500 },
  })
})

it('a DELETE that comes too late says so, however late it is noticed', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const raced: TicketStore = {
    ...store,
    // Between the look and the cancellation, the answer comes.
    cancel: async (id) => {
      while ((await store.peek(id))?.status !== 'completed')
        await new Promise((resolve) => setTimeout(resolve, 5))
      return await store.cancel(id)
    },
  }
  await using at = await openTicketServer({ store: raced, simulated: SLOW })
  const { body } = await at.post('/tickets', { content: 'Why?' })
  await at.simulator.waitForCall()
  expect(await at.delete(`/tickets/${body.id}`)).toMatchObject({ status: 409, body: { error: 'conflict' } })
})

/** A store that can go away altogether: neither read nor written. */
function removable(store: TicketStore) {
  let isAway = false
  let refusals = 0
  const gone =
    <Arguments extends unknown[], Value>(method: (...given: Arguments) => Promise<Value>) =>
    async (...given: Arguments): Promise<Value> => {
      if (!isAway) return await method(...given)
      refusals += 1
      throw new StoreUnavailable('unreachable', 'It is away.')
    }
  const methods = Object.entries(store).map(([name, value]) =>
    typeof value !== 'function' || ['subscribe', 'close'].includes(name)
      ? [name, value]
      : [name, gone(value)],
  )
  const callbacks = {
    ...store.callbacks,
    find: gone(store.callbacks.find),
    resend: gone(store.callbacks.resend),
  }
  return {
    store: { ...store, ...Object.fromEntries(methods), callbacks } as TicketStore,
    leave() {
      isAway = true
    },
    comeBack() {
      isAway = false
    },
    refused: () => refusals,
  }
}
