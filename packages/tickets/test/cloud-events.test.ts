import { request as httpRequest } from 'node:http'
import { CloudEvent, HTTP, type Message } from 'cloudevents'
import { expect, it } from 'vitest'
import { createSqliteStore, type NewTicket, StoreUnavailable, type TicketStore } from '../src/index.ts'
import { openTicketServer, readEvents } from './open-ticket-server.ts'

const ANSWER = 'one two three four five'
const FAST = { tokensPerSecond: 100_000, answer: () => ANSWER }
const SLOW = { tokensPerSecond: 50, answer: () => ANSWER }
const ATTRIBUTES = { specversion: '1.0', id: 'ce-1', source: '/mail', type: 'com.example.mail' }
const ASKED = { ...ATTRIBUTES, data: 'Why?' }
const HEADERS = {
  'ce-specversion': '1.0',
  'ce-id': 'ce-1',
  'ce-source': '/mail',
  'ce-type': 'com.example.mail',
}
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=UTF-8' }
const BATCHED = { 'content-type': 'application/cloudevents-batch+json' }
const ASYNC = { prefer: 'respond-async' }
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const LATER = { not_before: '2099-01-01T00:00:00Z' }

type Server = Awaited<ReturnType<typeof openTicketServer>>

/** `body` as it is, where it is a text. */
async function send(server: Server, path: string, headers: Record<string, string>, body: unknown) {
  const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await reply.text()
  const json = text.startsWith('{') ? JSON.parse(text) : undefined
  return { status: reply.status, headers: reply.headers, text, body: json }
}

it.each([
  ['structured', STRUCTURED, ASKED],
  ['binary', { ...HEADERS, 'content-type': 'text/plain' }, 'Why?'],
])('%s: a synchronous event is a ticket that its caller waits on', async (mode, headers, body) => {
  await using server = await openTicketServer({ simulated: FAST })
  const reply = await send(server, '/event', headers, body)
  const [ticket] = (await server.store.list({ metadata: { ce_source: '/mail' } })).tickets
  expect(ticket).toMatchObject({
    eventId: 'ce-1',
    event: { content: 'Why?', metadata: { ce_type: 'com.example.mail', ce_id: 'ce-1' } },
  })
  const answer =
    mode === 'binary'
      ? { ...Object.fromEntries(reply.headers), data: reply.body }
      : { ...prefixed(reply.body), data: reply.body.data }
  expect(reply.status).toBe(200)
  expect(answer).toMatchObject({
    'ce-type': 'dev.aiticket.event.completed.v1',
    'ce-subject': ticket?.id,
    'ce-causationid': 'ce-1',
    'ce-source': `http://127.0.0.1:${server.port}/event`,
    data: { completion: ANSWER, id: 'ce-1' },
  })
})

const prefixed = (attributes: object) =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))

it('the SDK sends over a socket, and reads the answer', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const asked = new CloudEvent({ ...ATTRIBUTES, data: { content: 'Why?' }, correlationid: 'c-1' })
  for (const message of [HTTP.binary(asked), HTTP.structured(asked)]) {
    const reply = await send(server, '/event', message.headers as Record<string, string>, message.body)
    const headers = Object.fromEntries(reply.headers)
    // It knows the type without parameters only.
    if (headers['content-type']?.startsWith('application/cloudevents+json'))
      headers['content-type'] = 'application/cloudevents+json'
    const answer = HTTP.toEvent({ headers, body: reply.text } as Message) as CloudEvent<{
      completion: string
    }>
    expect(answer.validate()).toBe(true)
    expect(answer).toMatchObject({ causationid: 'ce-1', correlationid: 'c-1', data: { completion: ANSWER } })
  }
  expect(server.simulator.calls).toHaveLength(1)
})

it('the same CloudEvent is the same ticket, in any mode, at either address, however its JSON is written', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const data = { content: 'Why?', metadata: { a: '1', b: '2' }, ...LATER }
  const turned = { ...LATER, metadata: { b: '2', a: '1' }, content: 'Why?' }
  const first = await send(server, '/tickets', STRUCTURED, { ...ATTRIBUTES, data })
  const binary = { ...HEADERS, 'content-type': 'application/json' }
  const again = await send(server, '/tickets', binary, turned)
  const third = await send(
    server,
    '/event',
    { ...STRUCTURED, ...ASYNC },
    { data: turned, ...ATTRIBUTES, time: null },
  )
  expect(first.status).toBe(202)
  expect(first.body).toMatchObject({ object: 'ticket', event_id: 'ce-1' })
  for (const { status, body, headers } of [again, third]) {
    expect({ status, id: body.id }).toEqual({ status: 202, id: first.body.id })
    expect(headers.get('idempotency-replayed')).toBe('true')
  }
})

it('refuses the same source and id with other data, and keeps other sources and callers apart', async () => {
  const apiKeys = ['alpha-key', 'beta-key']
  await using server = await openTicketServer({ simulated: FAST, server: { apiKeys } })
  const as = (key: string) => ({ ...STRUCTURED, ...ASYNC, authorization: `Bearer ${key}` })
  const first = await send(server, '/event', as('alpha-key'), ASKED)
  const conflict = await send(server, '/event', as('alpha-key'), { ...ASKED, data: 'What?' })
  expect(conflict).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } })
  expect(conflict.body.details).toContain('CloudEvent')
  const others = await Promise.all([
    send(server, '/event', as('alpha-key'), { ...ASKED, source: '/other' }),
    send(server, '/event', as('alpha-key'), { ...ASKED, id: 'ce-2' }),
    send(server, '/event', as('beta-key'), ASKED),
  ])
  expect(others.map(({ status }) => status)).toEqual([202, 202, 202])
  expect(new Set([first, ...others].map(({ body }) => body.id)).size).toBe(4)
})

it('an Idempotency-Key counts more than source and id', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const headers = { ...STRUCTURED, ...ASYNC }
  const first = await send(server, '/event', { ...headers, 'idempotency-key': 'a' }, ASKED)
  const second = await send(server, '/event', { ...headers, 'idempotency-key': 'b' }, ASKED)
  const again = await send(server, '/event', { ...headers, 'idempotency-key': 'a' }, ASKED)
  expect(second.body.id).not.toBe(first.body.id)
  expect(again.body.id).toBe(first.body.id)
})

it('a redelivery after a hang-up finds the answer', async () => {
  await using server = await openTicketServer({ simulated: SLOW })
  const control = new AbortController()
  const url = `http://127.0.0.1:${server.port}/event`
  const init = { method: 'POST', headers: STRUCTURED, body: JSON.stringify(ASKED) }
  const asking = fetch(url, { ...init, signal: control.signal })
  await server.simulator.waitForCall()
  control.abort()
  await expect(asking).rejects.toThrow()
  const answer = await send(server, '/event', STRUCTURED, ASKED)
  expect(answer).toMatchObject({ status: 200, body: { data: { completion: ANSWER } } })
  expect(answer.headers.get('idempotency-replayed')).toBe('true')
  expect(server.simulator.calls).toHaveLength(1)
})

it('a failure has the status of its code, and a type of its own', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const reply = await send(server, '/event', STRUCTURED, {
    ...ATTRIBUTES,
    data: { content: 'Why?', backend: 'unknown' },
  })
  expect(reply).toMatchObject({
    status: 404,
    body: { type: 'dev.aiticket.event.failed.v1', data: { error: 'not_found', id: 'ce-1' } },
  })
})

it('a 202 is the plain ticket, and what came in time with wait is a CloudEvent', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const later = await send(
    server,
    '/event',
    { ...STRUCTURED, ...ASYNC },
    { ...ATTRIBUTES, data: { content: 'Why?', ...LATER } },
  )
  expect(later).toMatchObject({ status: 202, body: { object: 'ticket' } })
  const inTime = { ...STRUCTURED, prefer: 'respond-async, wait=10' }
  const reply = await send(server, '/event', inTime, { ...ASKED, id: 'ce-2' })
  expect(reply).toMatchObject({ status: 200, body: { specversion: '1.0', data: { completion: ANSWER } } })
})

it('a stream stays a stream', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const { text } = await send(server, '/event', { ...STRUCTURED, accept: 'text/event-stream' }, ASKED)
  expect(readEvents(text).at(-1)).toMatchObject({ event: 'done', data: { completion: ANSWER } })
})

it('expirytime is when a ticket need not begin any more, unless the event says it', async () => {
  await using server = await openTicketServer()
  const given = {
    ...ATTRIBUTES,
    expirytime: '2099-05-01T00:00:00+02:00',
    data: { content: 'Why?', ...LATER },
  }
  const { body } = await send(server, '/tickets', STRUCTURED, given)
  expect(body.expires_at).toBe('2099-04-30T22:00:00.000Z')
  const own = { ...given, id: 'ce-2', data: { ...given.data, expires_at: '2099-06-01T00:00:00Z' } }
  expect((await send(server, '/tickets', STRUCTURED, own)).body.expires_at).toBe('2099-06-01T00:00:00.000Z')
  const past = { ...ASKED, id: 'ce-3', expirytime: '2020-01-01T00:00:00Z' }
  expect(await send(server, '/event', STRUCTURED, past)).toMatchObject({
    status: 504,
    body: { data: { error: 'deadline_exceeded' } },
  })
})

it('a ticket continues the trace of its CloudEvent; the header wins', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const own = TRACE.replaceAll('b7', 'c8')
  await send(server, '/event', STRUCTURED, { ...ASKED, traceparent: TRACE })
  await send(
    server,
    '/event',
    { ...STRUCTURED, traceparent: own },
    { ...ASKED, id: 'ce-2', traceparent: TRACE },
  )
  await server.post(
    '/event',
    { content: 'Why?', traceparent: 'x' },
    { 'idempotency-key': 'k', traceparent: own },
  )
  await server.post('/event', { content: 'Why?', traceparent: 'x' }, { 'idempotency-key': 'l' })
  const sent = server.simulator.calls.map(({ headers }) => headers.traceparent)
  expect(sent).toEqual([TRACE, own, own, undefined])
})

it('refuses a header that is there twice', async () => {
  await using server = await openTicketServer()
  const asked = httpRequest({ port: server.port, host: '127.0.0.1', path: '/event', method: 'POST' })
  for (const [name, value] of Object.entries(HEADERS)) asked.setHeader(name, value)
  asked.setHeader('content-type', 'text/plain')
  asked.setHeader('ce-id', ['ce-1', 'ce-2'])
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  asked.on('response', (response) => {
    response.resume()
    resolve(response.statusCode)
  })
  asked.end('Why?')
  expect(await promise).toBe(400)
  expect((await server.store.list({})).tickets).toEqual([])
})

it.each(['/event', '/tickets'])(
  'a batch to %s has one entry for each event, in their order',
  async (path) => {
    await using server = await openTicketServer({ simulated: FAST })
    const batch = [
      ASKED,
      { ...ASKED, id: 'ce-2', specversion: '0.3' },
      ASKED,
      { ...ASKED, data: 'What?' },
      { ...ASKED, id: 'ce-3', data: { content: '  ' } },
      'nonsense',
      { ...ASKED, id: 'ce-4', data: JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`) },
      { ...ASKED, id: 'ce-5', data: { prompt: 'Why not?' } },
    ]
    const poisoned = `{"data":{"__proto__":{}},${JSON.stringify({ ...ATTRIBUTES, id: 'ce-6' }).slice(1)}`
    const reply = await send(server, path, BATCHED, `${JSON.stringify(batch).slice(0, -1)},${poisoned}]`)
    expect(reply.status).toBe(202)
    const { data } = reply.body
    expect(data).toMatchObject([
      { source: '/mail', id: 'ce-1', status: 202, ticket: { object: 'ticket', event_id: 'ce-1' } },
      { source: '/mail', id: 'ce-2', status: 400, error: 'invalid_input_format' },
      { source: '/mail', id: 'ce-1', status: 202, ticket: { id: data[0].ticket.id } },
      { source: '/mail', id: 'ce-1', status: 422, error: 'idempotency_key_reused' },
      { source: '/mail', id: 'ce-3', status: 422, error: 'prompt_extraction_failed' },
      { source: null, id: null, status: 400, error: 'invalid_input_format' },
      { source: '/mail', id: 'ce-4', status: 400, error: 'invalid_input_format' },
      { source: '/mail', id: 'ce-5', status: 202, ticket: { object: 'ticket' } },
      { source: '/mail', id: 'ce-6', status: 400, error: 'invalid_request' },
    ])
    expect((await server.store.list({})).tickets).toHaveLength(2)
    const ticket = await server.get(`/tickets/${data[7].ticket.id}?wait=10s`)
    expect(ticket.body).toMatchObject({ status: 'completed', event: { content: { prompt: 'Why not?' } } })
  },
)

it('hands the whole batch to the store at once', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const waiting: NewTicket[] = []
  const all = Promise.withResolvers<void>()
  const counting: TicketStore = {
    ...store,
    async accept(ticket) {
      if (waiting.push(ticket) === 100) all.resolve()
      await all.promise
      return store.accept(ticket)
    },
  }
  await using server = await openTicketServer({ simulated: FAST, store: counting })
  const batch = Array.from({ length: 100 }, (_, index) => ({
    ...ATTRIBUTES,
    id: `ce-${index}`,
    data: { content: 'Why?', ...LATER },
  }))
  const { status, body } = await send(server, '/event', BATCHED, batch)
  expect(status).toBe(202)
  expect(body.data.map(({ id }: { id: string }) => id)).toEqual(batch.map(({ id }) => id))
})

it('an event of a batch that fails with a bug takes no other with it', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const accept: TicketStore['accept'] = (ticket) =>
    ticket.eventId === 'ce-2' ? Promise.reject(new Error('a bug')) : store.accept(ticket)
  await using server = await openTicketServer({ simulated: FAST, store: { ...store, accept } })
  const { status, body } = await send(server, '/event', BATCHED, [
    ASKED,
    { ...ASKED, id: 'ce-2' },
    { ...ASKED, id: 'ce-3' },
  ])
  expect(status).toBe(202)
  expect(body.data).toMatchObject([
    { id: 'ce-1', status: 202 },
    { id: 'ce-2', status: 500, error: 'internal_error' },
    { id: 'ce-3', status: 202 },
  ])
})

it('a batch is limited, empty it is fine, and it has no key of its own', async () => {
  await using server = await openTicketServer()
  const many = Array.from({ length: 101 }, (_, index) => ({ ...ASKED, id: `ce-${index}` }))
  expect(await send(server, '/event', BATCHED, many)).toMatchObject({
    status: 413,
    body: { error: 'payload_too_large' },
  })
  expect(await send(server, '/event', BATCHED, [])).toMatchObject({ status: 202, body: { data: [] } })
  expect(await send(server, '/event', { ...BATCHED, 'idempotency-key': 'k' }, [ASKED])).toMatchObject({
    status: 400,
    body: { error: 'invalid_request' },
  })
  expect((await server.store.list({})).tickets).toEqual([])
})

it('a batch of which the server can take nothing is refused, so that the sender comes back', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const full = () => Promise.reject(new StoreUnavailable('full', 'the disk is full.'))
  await using server = await openTicketServer({ store: { ...store, accept: full } })
  const refused = await send(server, '/event', BATCHED, [ASKED, { ...ASKED, id: 'ce-2' }])
  expect(refused).toMatchObject({ status: 503, body: { error: 'store_unavailable' } })
  expect(refused.headers.get('retry-after')).toBe('1')
  const mixed = await send(server, '/event', BATCHED, [ASKED, {}])
  expect(mixed.body.data).toMatchObject([{ status: 503 }, { status: 400 }])
})
