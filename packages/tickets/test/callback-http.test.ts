import { expect, it } from 'vitest'
import { createCallbackPolicy, createCallbackSender, createSqliteStore } from '../src/index.ts'
import { type ReceiverReply, startCallbackReceiver } from './callback-receiver.ts'
import { SECRET } from './open-callback-sender.ts'
import { openTicketServer } from './open-ticket-server.ts'

const FAST = { tokensPerSecond: 100_000, answer: () => 'yes' }
const EVENT = { content: 'Why?', id: 'evt_1' }
const ASYNC = { prefer: 'respond-async' }

/** A server that sends callbacks to a receiver, and tells when an attempt is recorded. */
async function open(...replies: ReceiverReply[]) {
  const receiver = await startCallbackReceiver(...replies)
  const store = createSqliteStore({ directory: ':memory:' })
  const callbacks = createCallbackPolicy({ allow: [`${receiver.url}/*`], privateNetworks: ['127.0.0.0/8'] })
  let ended = Promise.withResolvers<void>()
  const observer = { attemptEnded: () => ended.resolve() }
  const sender = createCallbackSender({ store, policy: callbacks, secrets: [SECRET], observer })
  sender.start()
  const server = await openTicketServer({ simulated: FAST, store, routes: { callbacks } })
  return {
    ...server,
    receiver,
    callbackUrl: `${receiver.url}/done?token=s3cret`,
    /** Resolves when the next attempt has ended. */
    async attempt(): Promise<void> {
      await ended.promise
      ended = Promise.withResolvers()
    },
    async [Symbol.asyncDispose]() {
      await sender.close()
      await server[Symbol.asyncDispose]()
      await receiver[Symbol.asyncDispose]()
    },
  }
}

it.each([
  ['/tickets', {}],
  ['/event', ASYNC],
  ['/event', { 'idempotency-key': 'k1' }],
  // Without a word of a ticket: whoever hangs up is told all the same.
  ['/event', {}],
])('tells of the end of an event sent to POST %s with %j', async (path, headers) => {
  await using at = await open(200)
  const answer = await at.post(path, { ...EVENT, callback_url: at.callbackUrl }, headers)
  expect(answer.status).toBe('prefer' in headers || path === '/tickets' ? 202 : 200)
  await at.attempt()
  expect(at.receiver.received).toMatchObject([{ path: '/done?token=s3cret' }])
  expect(JSON.parse(at.receiver.received[0]?.body ?? '')).toMatchObject({
    type: 'ticket.completed',
    data: { event_id: 'evt_1' },
  })
})

it('answers an event with a callback like any other', async () => {
  await using at = await open(200)
  const answer = await at.post('/event', { ...EVENT, callback_url: at.callbackUrl })
  expect(answer).toMatchObject({ status: 200, body: { completion: 'yes', id: 'evt_1' } })
})

it('tells of a ticket that is cancelled', async () => {
  await using at = await open(200)
  const later = new Date(Date.now() + 60_000).toISOString()
  const { body } = await at.post('/tickets', { ...EVENT, not_before: later, callback_url: at.callbackUrl })
  await at.delete(`/tickets/${body.id}`)
  await at.attempt()
  expect(JSON.parse(at.receiver.received[0]?.body ?? '')).toMatchObject({
    type: 'ticket.cancelled',
    data: { id: body.id, status: 'cancelled', error: 'cancelled' },
  })
})

it('shows no model the address, and nobody its query', async () => {
  await using at = await open(200)
  const { body } = await at.post('/tickets', { ...EVENT, callback_url: at.callbackUrl })
  await at.attempt()
  const ticket = await at.get(`/tickets/${body.id}`)
  const list = await at.get('/tickets')
  const callbacks = await at.get(`/tickets/${body.id}/callbacks`)
  expect(ticket.body.callback).toEqual({
    url: `${at.receiver.url}/done?***`,
    status: 'delivered',
    attempts: 1,
  })
  expect(list.body.data[0].callback).toEqual(ticket.body.callback)
  expect([ticket.text, list.text, callbacks.text].join()).not.toContain('s3cret')
  expect(JSON.stringify(at.simulator.calls.map(({ body }) => body))).not.toContain('/done')
})

it('shows each attempt, and sends again when the operator asks', async () => {
  await using at = await open(503, 204)
  const { body } = await at.post('/tickets', { ...EVENT, callback_url: at.callbackUrl })
  expect(body.callback).toEqual({ url: `${at.receiver.url}/done?***`, status: 'waiting', attempts: 0 })
  await at.attempt()
  const path = `/tickets/${body.id}/callbacks`
  const refused = { status: 503, error: 'refused', details: 'The receiver answered 503.' }
  const pending = await at.get(path)
  expect(pending.body.data).toMatchObject([
    { object: 'callback', ticket_id: body.id, status: 'pending', attempts: [refused] },
  ])
  expect(pending.body.data[0].next_attempt_at).toMatch(/^\d{4}-.*Z$/)
  expect((await at.get(`/tickets/${body.id}`)).body.callback).toMatchObject({
    status: 'pending',
    last_error: { error: 'refused' },
  })
  expect(await at.post(`${path}/resend`)).toMatchObject({ status: 202, body: { status: 'pending' } })
  await at.attempt()
  const [callback] = (await at.get(path)).body.data
  expect(callback).toMatchObject({ status: 'delivered', attempts: [refused, { status: 204 }] })
  const ids = at.receiver.received.map(({ headers }) => headers['webhook-id'])
  expect(ids).toEqual([callback.webhook_id, callback.webhook_id])
})

it('keeps the callback of a replayed ticket, unless it is told another or none', async () => {
  await using at = await open(200)
  const { body } = await at.post('/tickets', { ...EVENT, callback_url: at.callbackUrl })
  await at.attempt()
  const replay = async (change?: unknown) =>
    (await at.post(`/tickets/${body.id}/replay`, change)).body.callback?.url
  expect(await replay()).toBe(`${at.receiver.url}/done?***`)
  expect(await replay({ callback_url: `${at.receiver.url}/other` })).toBe(`${at.receiver.url}/other`)
  expect(await replay({ callback_url: null })).toBeUndefined()
})

it.each([
  ['http://169.254.169.254/latest', 422, 'callback_not_allowed'],
  ['https://elsewhere.example/', 422, 'callback_not_allowed'],
  ['no address', 422, 'callback_not_allowed'],
  [7, 400, 'invalid_input_format'],
])('refuses the callback %s before anything is accepted', async (callback_url, status, error) => {
  await using at = await open(200)
  for (const path of ['/tickets', '/event']) {
    expect(await at.post(path, { ...EVENT, callback_url })).toMatchObject({ status, body: { error } })
  }
  expect((await at.store.list({})).tickets).toEqual([])
})

it('says which setting allows callbacks where none are', async () => {
  await using at = await openTicketServer({ simulated: FAST })
  const event = { ...EVENT, callback_url: 'https://hooks.example.com/done' }
  for (const [path, headers] of [
    ['/tickets', {}],
    ['/event', {}],
    ['/event', ASYNC],
  ] as const) {
    const refused = await at.post(path, event, headers)
    expect(refused).toMatchObject({ status: 422, body: { error: 'callback_not_allowed' } })
    expect(refused.body.details).toContain('AI_TICKET_CALLBACK_ALLOW')
  }
  expect((await at.store.list({})).tickets).toEqual([])
})

it('has nothing to send again for a ticket that has not ended, has no callback, or is not there', async () => {
  await using at = await open(200)
  const later = new Date(Date.now() + 60_000).toISOString()
  const waiting = await at.post('/tickets', { ...EVENT, not_before: later, callback_url: at.callbackUrl })
  const silent = await at.post('/tickets', EVENT)
  const resend = (id: string) => at.post(`/tickets/${id}/callbacks/resend`)
  expect(await resend(waiting.body.id)).toMatchObject({ status: 409, body: { error: 'conflict' } })
  expect(await resend(silent.body.id)).toMatchObject({ status: 404, body: { error: 'not_found' } })
  expect(await resend('tkt_unknown')).toMatchObject({ status: 404, body: { error: 'not_found' } })
  expect((await at.get(`/tickets/${silent.body.id}/callbacks`)).body).toEqual({ object: 'list', data: [] })
  expect((await at.get(`/tickets/${waiting.body.id}/callbacks`)).body.data).toMatchObject([
    { status: 'waiting', attempts: [] },
  ])
})

it('shows a sender the callbacks of its own tickets, and lets only operators send again', async () => {
  const keys = [
    { name: 'one', key: 'k-one', scopes: ['events'] },
    { name: 'two', key: 'k-two', scopes: ['events'] },
  ] as const
  await using receiver = await startCallbackReceiver(200)
  const callbacks = createCallbackPolicy({ allow: [`${receiver.url}/*`], privateNetworks: ['127.0.0.0/8'] })
  await using at = await openTicketServer({
    simulated: FAST,
    server: { apiKeys: keys },
    routes: { callbacks },
  })
  const as = (key: string) => ({ authorization: `Bearer ${key}` })
  const event = { ...EVENT, callback_url: `${receiver.url}/done` }
  const { body } = await at.post('/tickets', event, as('k-one'))
  const path = `/tickets/${body.id}/callbacks`
  expect((await at.get(path, as('k-one'))).body.data).toHaveLength(1)
  expect((await at.get(path, as('k-two'))).status).toBe(404)
  expect((await at.post(`${path}/resend`, undefined, as('k-one'))).status).toBe(403)
})
