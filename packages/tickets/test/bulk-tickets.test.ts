import { silentLogger } from '@ai-ticket/core'
import { expect, it } from 'vitest'
import { createCallbackPolicy, createSqliteStore } from '../src/index.ts'
import { openTicketServer } from './open-ticket-server.ts'
import { REFUSAL } from './ticket-store-contract.ts'

const QUICK = { tokensPerSecond: Number.POSITIVE_INFINITY }
const LATER = { notBefore: Date.now() + 3_600_000 }

type Server = Awaited<ReturnType<typeof openTicketServer>>

/** Dead letters, the oldest first. */
async function fail(server: Server, count: number): Promise<string[]> {
  const entries = Array.from({ length: count }, (_, number) => ({
    event: { content: `Prompt ${number}` },
    eventId: `evt_${number}`,
    caller: '',
    createdAt: 1_700_000_000_000 + number,
    finishedAt: 1_700_000_000_001 + number,
    outcome: REFUSAL,
  }))
  await server.store.record(entries)
  const { rows } = await server.store.listRows({ statuses: ['failed'], limit: 200 })
  return rows.map(({ id }) => id).toReversed()
}

it('replays what a filter finds, behind what is new, and says first how many there are', async () => {
  await using server = await openTicketServer({ simulated: QUICK })
  const failed = await fail(server, 3)
  const filter = { status: 'failed', text: 'prompt' }
  expect((await server.post('/tickets/bulk', { action: 'replay', filter, dry_run: true })).body).toEqual({
    object: 'bulk',
    matched: 3,
    done: 0,
    refused: [],
  })
  expect((await server.store.stats()).byStatus).toMatchObject({ failed: 3, queued: 0, completed: 0 })
  const { status, body } = await server.post('/tickets/bulk', { action: 'replay', filter })
  expect([status, body]).toEqual([200, { object: 'bulk', matched: 3, done: 3, refused: [] }])
  const { rows } = await server.store.listRows({ replayOf: failed[0] ?? '' })
  expect(rows).toMatchObject([{ priority: -10, summary: { prompt: 'Prompt 0' } }])
  await server.post('/tickets/bulk', { action: 'replay', ids: [failed[1]], priority: 7 })
  const again = await server.store.listRows({ replayOf: failed[1] ?? '' })
  expect(again.rows.map(({ priority }) => priority).sort()).toEqual([-10, 7])
})

it('acts on 500 a call, and goes on with the cursor', async () => {
  await using server = await openTicketServer({ simulated: QUICK })
  await fail(server, 620)
  const bulk = { action: 'replay', dry_run: true }
  const first = await server.post('/tickets/bulk', { ...bulk, filter: { status: 'failed' } })
  expect(first.body).toMatchObject({ matched: 500, next_cursor: expect.any(String) })
  const filter = { status: 'failed', cursor: first.body.next_cursor }
  const second = await server.post('/tickets/bulk', { ...bulk, filter })
  expect(second.body).toEqual({ object: 'bulk', matched: 120, done: 0, refused: [] })
})

it.each(['__proto__', 'constructor', 'toString'])('a filter by metadata named %s is one', async (name) => {
  await using server = await openTicketServer({ simulated: QUICK })
  await fail(server, 2)
  const filter = { [`metadata.${name}`]: 'x' }
  const { body } = await server.post('/tickets/bulk', { action: 'replay', filter, dry_run: true })
  expect(body).toMatchObject({ matched: 0 })
  const { body: list } = await server.get(`/tickets?metadata.${name}=x`)
  expect(list).toMatchObject({ data: [] })
})

it('looks for at most 20 metadata at a time', async () => {
  await using server = await openTicketServer({ simulated: QUICK })
  const filterOf = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`metadata.k${index}`, 'x']))
  const bulk = { action: 'cancel', dry_run: true }
  expect((await server.post('/tickets/bulk', { ...bulk, filter: filterOf(20) })).status).toBe(200)
  const { status, body } = await server.post('/tickets/bulk', { ...bulk, filter: filterOf(21) })
  expect([status, body.error]).toEqual([400, 'invalid_input_format'])
})

it('cancels what can be cancelled, and names the rest with its reason', async () => {
  await using server = await openTicketServer({ simulated: QUICK })
  const waiting = await server.accept({}, LATER)
  const [ended = ''] = await fail(server, 1)
  const { body } = await server.post('/tickets/bulk', {
    action: 'cancel',
    ids: [waiting.id, ended, 'tkt_none'],
  })
  expect(body).toMatchObject({ matched: 3, done: 1 })
  expect(new Set(body.refused)).toEqual(
    new Set([
      { id: ended, error: 'conflict' },
      { id: 'tkt_none', error: 'not_found' },
    ]),
  )
  expect(await server.store.get(waiting.id)).toMatchObject({ state: { status: 'cancelled' } })
})

it('a ticket that fails with a bug keeps no other from its turn', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const cancel = (id: string) => (id === broken ? Promise.reject(new Error('a bug')) : store.cancel(id))
  const logged: unknown[] = []
  const logger = {
    ...silentLogger,
    error: (message: string, fields?: object) => void logged.push({ message, ...fields }),
  }
  await using server = await openTicketServer({
    simulated: QUICK,
    store: { ...store, cancel },
    routes: { logger },
  })
  const ids: string[] = []
  for (let number = 0; number < 20; number++) ids.push((await server.accept({}, LATER)).id)
  const [broken = ''] = ids
  const { status, body } = await server.post('/tickets/bulk', { action: 'cancel', ids })
  expect([status, body]).toMatchObject([
    200,
    { matched: 20, done: 19, refused: [{ id: broken, error: 'internal_error' }] },
  ])
  expect(logged).toMatchObject([{ ticket_id: broken, error: new Error('a bug') }])
})

it('replays a ticket of a chat API as it was read: by any turn, with a ceiling', async () => {
  await using server = await openTicketServer({ simulated: { ...QUICK, contextLength: 2_048 } })
  const event = {
    content: { messages: [{ role: 'system', content: 'Greet the user.' }] },
    parameters: { max_tokens: 32_000 },
  }
  const { id } = await server.accept(event, { isChat: true })
  await server.until(id, ({ state }) => state.status === 'completed')
  const one = await server.post(`/tickets/${id}/replay`)
  expect(one.status).toBe(202)
  await server.until(one.body.id, ({ state }) => state.status === 'completed')
  const { body } = await server.post('/tickets/bulk', { action: 'replay', ids: [id, one.body.id] })
  expect(body).toMatchObject({ done: 2, refused: [] })
  await expect.poll(async () => (await server.store.stats()).byStatus).toMatchObject({ completed: 4 })
})

it('resends callbacks, as far as they are allowed', async () => {
  const callbacks = createCallbackPolicy({ allow: ['https://hooks.example.com/*'] })
  await using server = await openTicketServer({ simulated: QUICK, routes: { callbacks } })
  const ids: string[] = []
  for (const host of ['hooks', 'evil']) {
    const { id } = await server.accept({}, { ...LATER, callbackUrl: `https://${host}.example.com/x` })
    await server.store.cancel(id)
    ids.push(id)
  }
  const { body } = await server.post('/tickets/bulk', { action: 'resend', ids })
  expect(body).toMatchObject({ done: 1, refused: [{ id: ids[1], error: 'callback_not_allowed' }] })
})

it('refuses what it does not understand before it acts on anything', async () => {
  await using server = await openTicketServer({ simulated: QUICK })
  for (const body of [
    {},
    { action: 'burn', ids: [] },
    { action: 'cancel' },
    { action: 'cancel', ids: [], filter: {} },
    { action: 'cancel', filter: { statsu: 'queued' } },
    { action: 'cancel', filter: {}, dryrun: true },
    { action: 'replay', ids: ['tkt_1'], priority: 1_000 },
    { action: 'cancel', ids: Array.from({ length: 501 }, String) },
  ]) {
    const { status, body: answer } = await server.post('/tickets/bulk', body)
    expect([body, status, answer.error]).toEqual([body, 400, 'invalid_input_format'])
  }
})
