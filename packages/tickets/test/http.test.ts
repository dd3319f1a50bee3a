import { expect, it, vi } from 'vitest'
import { createSqliteStore, StoreUnavailable, type TicketStore } from '../src/index.ts'
import { untilText } from './open-ticket-desk.ts'
import { openTicketServer, readEvents } from './open-ticket-server.ts'

const ANSWER = 'one two three four five'
const FAST = { tokensPerSecond: 100_000, answer: () => ANSWER }
const LONG = { answer: () => 'one two three four five '.repeat(200), tokensPerSecond: 50 }
const EVENT = { content: 'Why?', id: 'evt_1' }
const ASYNC = { prefer: 'respond-async' }

it('answers 202 with the place to look, and the answer is there', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const accepted = await server.post('/event', EVENT, ASYNC)
  expect(accepted.status).toBe(202)
  expect(accepted.headers.get('preference-applied')).toBe('respond-async')
  expect(accepted.headers.get('location')).toBe(`/tickets/${accepted.body.id}`)
  expect(accepted.body).toMatchObject({ object: 'ticket', event_id: 'evt_1', status: 'queued', attempts: [] })
  const ticket = await server.get(`${accepted.headers.get('location')}?wait=10s`)
  expect(ticket.status).toBe(200)
  expect(ticket.body).toMatchObject({
    status: 'completed',
    event: EVENT,
    outcome: { completion: ANSWER, id: 'evt_1' },
  })
})

it('gives an event without an id one that sorts by its time', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const ids: unknown[] = []
  for (const at of [0, 5, 10]) {
    const before = Date.now().toString(16).padStart(12, '0')
    const { body } = await server.post('/event', { content: `Why ${at}?` }, ASYNC)
    const time = String(body.event_id).slice(4, 17).replace('-', '')
    expect(body.event_id).toMatch(/^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(time >= before).toBe(true)
    ids.push(body.event_id)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  expect(ids).toEqual(ids.toSorted())
})

it('keeps the warnings of an outcome', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const accepted = await server.post('/event', { ...EVENT, max_token: 5 }, ASYNC)
  const ticket = await server.get(`/tickets/${accepted.body.id}?wait=10s`)
  expect(ticket.body.outcome).toMatchObject({ completion: ANSWER, warnings: [{ field: 'max_token' }] })
})

it('names the limit that refuses a ticket, and lets other senders in', async () => {
  const apiKeys = ['greedy', 'modest'].map((name) => ({ name, key: `key-of-${name}` }))
  const as = (name: string) => ({ authorization: `Bearer key-of-${name}` })
  await using server = await openTicketServer({
    store: { ...createSqliteStore({ directory: ':memory:', capacity: 20 }), claim: async () => [] },
    server: { apiKeys },
  })
  const send = (name: string) => server.post('/tickets', EVENT, as(name))
  for (let number = 0; number < 18; number++) expect((await send('greedy')).status).toBe(202)
  const refused = await send('greedy')
  expect(refused).toMatchObject({
    status: 503,
    body: {
      error: 'capacity_exceeded',
      details: expect.stringMatching(/18 tickets wait.*last places of 20/),
    },
  })
  expect(refused.headers.get('retry-after')).toBe('30')
  expect((await send('modest')).status).toBe(202)
})

it('answers 202 only when the ticket is on disk', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const written = Promise.withResolvers<void>()
  const slow: TicketStore = {
    ...store,
    accept: async (ticket) => {
      const accepted = await store.accept(ticket)
      await written.promise
      return accepted
    },
  }
  await using server = await openTicketServer({ simulated: FAST, store: slow })
  const answered = server.post('/tickets', EVENT).then(() => 'answered')
  const begun = server.until((await firstTicket(store)).id, ({ runs }) => runs > 0).then(() => 'begun')
  expect(await Promise.race([answered, begun])).toBe('begun')
  written.resolve()
  expect(await answered).toBe('answered')
})

it('answers at once where the wait was long enough', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const answer = await server.post('/event', EVENT, { prefer: 'respond-async, wait=10' })
  expect(answer).toMatchObject({ status: 200, body: { completion: ANSWER } })
  expect(answer.headers.get('location')).toMatch(/^\/tickets\/tkt_/)
})

it('leaves other events alone', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  expect(await server.post('/event', EVENT, { prefer: 'return=minimal' })).toMatchObject({ status: 200 })
  expect((await server.store.list({})).tickets).toEqual([])
})

it.each([
  [{}, 400, 'missing_content_field'],
  [{ content: '  ' }, 422, 'prompt_extraction_failed'],
  [{ content: 'x', not_before: 'tomorrow' }, 400, 'invalid_input_format'],
  [
    { content: 'x', not_before: '2027-01-02T00:00:00Z', expires_at: '2027-01-01T00:00:00Z' },
    400,
    'invalid_input_format',
  ],
  [{ content: 'x', callback_url: 'http://example.com' }, 422, 'callback_not_allowed'],
])('refuses %j before it is accepted', async (event, status, error) => {
  await using server = await openTicketServer()
  expect(await server.post('/tickets', event)).toMatchObject({ status, body: { error } })
  expect((await server.store.list({})).tickets).toEqual([])
})

it('gives the same ticket for the same key, and refuses the key for another event', async () => {
  await using server = await openTicketServer({ simulated: LONG })
  const first = await server.post('/tickets', EVENT, { 'idempotency-key': 'k1' })
  const again = await server.post('/tickets', EVENT, { 'idempotency-key': '"k1"' })
  expect(again).toMatchObject({ status: 202, body: { id: first.body.id } })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  const other = await server.post('/tickets', { content: 'Else?' }, { 'idempotency-key': 'k1' })
  expect(other).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } })
})

it.each<[what: string, path: string, first: unknown, again: unknown]>([
  [
    'a ticket',
    '/tickets',
    { content: 'hi', metadata: { a: 1, b: { c: [{ d: 2, e: 3 }], f: null } } },
    { metadata: { b: { f: null, c: [{ e: 3, d: 2 }] }, a: 1 }, content: 'hi' },
  ],
  [
    'an event',
    '/event',
    { content: 'hi', parameters: { max_tokens: 9, temperature: 0 } },
    { parameters: { temperature: 0, max_tokens: 9 }, content: 'hi' },
  ],
])(
  'knows %s again by its key, whatever the order of the names in its objects',
  async (_what, path, first, again) => {
    await using server = await openTicketServer({ simulated: FAST })
    const headers = { 'idempotency-key': 'k1' }
    const { status, body } = await server.post(path, first, headers)
    const replayed = await server.post(path, again, headers)
    expect(replayed).toMatchObject({ status, body: { id: body.id } })
    expect(replayed.headers.get('idempotency-replayed')).toBe('true')
  },
)

it('takes the order in a list for a difference', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const headers = { 'idempotency-key': 'k1' }
  await server.post('/tickets', { content: 'hi', metadata: { a: [1, 2] } }, headers)
  const other = await server.post('/tickets', { content: 'hi', metadata: { a: [2, 1] } }, headers)
  expect(other).toMatchObject({ status: 422, body: { error: 'idempotency_key_reused' } })
})

it('answers a synchronous event with a key from its ticket, once for all who ask', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const headers = { 'idempotency-key': 'k1' }
  const answers = await Promise.all([
    server.post('/event', EVENT, headers),
    server.post('/event', EVENT, headers),
  ])
  const later = await server.post('/event', EVENT, headers)
  for (const answer of [...answers, later])
    expect(answer).toMatchObject({ status: 200, body: { completion: ANSWER } })
  expect(later.headers.get('idempotency-replayed')).toBe('true')
  expect(server.simulator.calls).toHaveLength(1)
})

it('finds the answer again after a hang-up', async () => {
  await using server = await openTicketServer({
    simulated: { ...FAST, answer: () => ANSWER, tokensPerSecond: 50 },
  })
  const control = new AbortController()
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'k1' }
  const url = `http://127.0.0.1:${server.port}/event`
  const asking = fetch(url, { method: 'POST', headers, body: JSON.stringify(EVENT), signal: control.signal })
  await server.simulator.waitForCall()
  control.abort()
  await expect(asking).rejects.toThrow()
  expect(await server.post('/event', EVENT, { 'idempotency-key': 'k1' })).toMatchObject({ status: 200 })
  expect(server.simulator.calls).toHaveLength(1)
})

it('waits for nothing where the caller has hung up before the ticket was on disk', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const [written, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const control = new AbortController()
  const slow: TicketStore = {
    ...store,
    accept: async (ticket) => {
      await written.promise
      return store.accept(ticket)
    },
  }
  await using server = await openTicketServer({
    store: slow,
    routes: {
      callerOf: ({ raw }) => {
        raw.socket.once('close', gone.resolve)
        control.abort()
        return ''
      },
    },
  })
  let watchers = 0
  let watched = 0
  const watch = server.desk.watch.bind(server.desk)
  vi.spyOn(server.desk, 'watch').mockImplementation((id, listener) => {
    const stop = watch(id, listener)
    watchers += 1
    watched += 1
    return () => {
      watchers -= 1
      stop()
    }
  })
  const asking = fetch(`http://127.0.0.1:${server.port}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' },
    body: JSON.stringify({ ...EVENT, not_before: '2999-01-01T00:00:00Z', timeout_ms: 3_600_000 }),
    signal: control.signal,
  })
  await expect(asking).rejects.toThrow()
  await gone.promise
  written.resolve()
  await expect.poll(() => watched).toBe(1)
  await expect.poll(() => watchers).toBe(0)
})

it('says that the store cannot take tickets, without its path', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const full: TicketStore = {
    ...store,
    accept: () => Promise.reject(new StoreUnavailable('full', '/secret/tickets.db: the disk is full.')),
  }
  await using server = await openTicketServer({ store: full })
  const refused = await server.post('/tickets', EVENT)
  expect(refused).toMatchObject({ status: 503, body: { error: 'store_unavailable' } })
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.text).not.toContain('/secret')
})

it('shows a failed ticket with 200, and 404 for none', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const { body } = await server.post('/tickets', { ...EVENT, backend: 'unknown' })
  const ticket = await server.get(`/tickets/${body.id}?wait=10s`)
  expect(ticket).toMatchObject({ status: 200, body: { status: 'failed', outcome: { error: 'not_found' } } })
  expect(await server.get('/tickets/tkt_unknown')).toMatchObject({
    status: 404,
    body: { error: 'not_found' },
  })
})

it.each(['application/json', 'application/json; charset=utf-8', 'application/problem+json'])(
  'where a body is optional, none is none, with Content-Type: %s too',
  async (type) => {
    await using server = await openTicketServer({ simulated: FAST })
    const headers = { 'content-type': type }
    const { body } = await server.post('/tickets', EVENT)
    await server.get(`/tickets/${body.id}?wait=10s`)
    const replayed = await server.post(`/tickets/${body.id}/replay`, undefined, headers)
    expect(replayed).toMatchObject({ status: 202 })
    const resent = await server.post(`/tickets/${body.id}/callbacks/resend`, undefined, headers)
    expect(resent).toMatchObject({ status: 404, body: { details: 'This ticket has no `callback_url`.' } })
    const later = await server.post('/tickets', { ...EVENT, not_before: '2999-01-01T00:00:00Z' })
    const cancelled = await server.delete(`/tickets/${later.body.id}`, headers)
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } })
  },
)

it.each(['/event', '/tickets', '/tickets/prune', '/v1/chat/completions', '/v1/completions'])(
  'POST %s without the body that it needs is refused',
  async (path) => {
    await using server = await openTicketServer({ simulated: FAST })
    const refused = await server.post(path, undefined, { 'content-type': 'application/json' })
    expect(refused.status).toBe(400)
    expect(refused.text).toMatch(/[Bb]ody/)
    expect(server.simulator.calls).toEqual([])
  },
)

it('cancels down to the generation', async () => {
  await using server = await openTicketServer({ simulated: LONG })
  const { body } = await server.post('/tickets', EVENT)
  await server.simulator.waitFor(({ generating }) => generating)
  const cancelled = await server.delete(`/tickets/${body.id}`)
  expect(cancelled).toMatchObject({
    status: 200,
    body: { status: 'cancelled', outcome: { error: 'cancelled' } },
  })
  await server.simulator.waitFor(({ generating }) => !generating)
  expect(await server.delete(`/tickets/${body.id}`)).toMatchObject({ status: 200 })
})

it('has nothing to cancel once there is an answer', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const { body } = await server.post('/tickets', EVENT)
  await server.get(`/tickets/${body.id}?wait=10s`)
  expect(await server.delete(`/tickets/${body.id}`)).toMatchObject({
    status: 409,
    body: { error: 'conflict' },
  })
})

it('takes a replay of another ticket with the same Idempotency-Key for another request', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const headers = { 'idempotency-key': 'k1' }
  const [one, other] = [
    await server.post('/tickets', EVENT),
    await server.post('/tickets', { content: 'Who?' }),
  ]
  const replay = (id: string) => server.post(`/tickets/${id}/replay`, undefined, headers)
  const first = await replay(one.body.id)
  expect(first).toMatchObject({ status: 202, body: { replay_of: one.body.id } })
  expect(await replay(one.body.id)).toMatchObject({ status: 202, body: { id: first.body.id } })
  expect(await replay(other.body.id)).toMatchObject({
    status: 422,
    body: { error: 'idempotency_key_reused' },
  })
})

it('replays the same event or an edited one, linked', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const { body } = await server.post('/tickets', { ...EVENT, metadata: { team: 'a' } })
  const same = await server.post(`/tickets/${body.id}/replay`)
  const edited = await server.post(`/tickets/${body.id}/replay`, { content: 'And now?' })
  expect(same).toMatchObject({ status: 202, body: { replay_of: body.id } })
  expect(same.body.event_id).not.toBe('evt_1')
  const shown = await server.get(`/tickets/${edited.body.id}`)
  expect(shown.body.event).toMatchObject({ content: 'And now?', metadata: { team: 'a' } })
  const { data } = (await server.get(`/tickets?replay_of=${body.id}`)).body
  expect(data.map(({ id }: { id: string }) => id)).toEqual([edited.body.id, same.body.id])
})

it('says by which API a ticket came in, and when which server ran it', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const { body } = await server.post('/event', { content: 'Why?', id: 'evt_a' }, { prefer: 'respond-async' })
  const { body: replay } = await server.post(`/tickets/${body.id}/replay`)
  const shown = (await server.get(`/tickets/${body.id}?wait=10s`)).body
  await server.get(`/tickets/${replay.id}?wait=10s`)
  expect(shown).toMatchObject({
    door: 'event',
    attempts: [{ run: 1 }],
    outcome: { waited_ms: expect.any(Number) },
    run_log: [{ run: 1, worker: expect.any(String), claimed_at: shown.started_at, ended: 'completed' }],
  })
  expect(shown.run_log[0].ended_at).toBe(shown.finished_at)
  const ids = async (query: string) =>
    (await server.get(`/tickets?${query}`)).body.data.map(({ id }: { id: string }) => id)
  expect(await ids('door=event')).toEqual([body.id])
  expect(await ids('door=tickets&view=row')).toEqual([replay.id])
  expect(await ids('door=openai')).toEqual([])
})

it('lists with filters and a cursor', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  for (const name of ['a', 'b', 'c'])
    await server.post('/tickets', { content: name, id: name, not_before: '2099-01-01T00:00:00Z' })
  const first = await server.get('/tickets?status=queued&limit=2')
  expect(first.body.data.map(({ event_id }: { event_id: string }) => event_id)).toEqual(['c', 'b'])
  const second = await server.get(`/tickets?status=queued&limit=2&cursor=${first.body.next_cursor}`)
  expect(second.body.data.map(({ event_id }: { event_id: string }) => event_id)).toEqual(['a'])
  expect(second.body.next_cursor).toBeUndefined()
  expect(await server.get('/tickets?colour=red')).toMatchObject({ status: 400 })
  expect(await server.get('/tickets?status=lost')).toMatchObject({ status: 400 })
  expect((await server.get('/tickets/stats')).body).toMatchObject({
    queued: 3,
    in_progress: 0,
    running_here: 0,
  })
})

it('streams a ticket, and goes on where the reader was', async () => {
  await using server = await openTicketServer({
    simulated: { ...FAST, tokensPerSecond: 60, answer: () => ANSWER },
  })
  const asked = { accept: 'text/event-stream', 'idempotency-key': 'k1' }
  const { text, headers } = await server.post('/event', EVENT, asked)
  const [{ id } = { id: '' }] = (await server.store.list({})).tickets
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/)
  const events = readEvents(text)
  expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).toSorted((a, b) => a - b))
  const deltas = events.filter(({ event }) => event === 'delta')
  expect(
    deltas
      .map(({ data }) => data.text)
      .join('')
      .trim(),
  ).toBe(ANSWER)
  expect(events.at(-1)).toMatchObject({ event: 'done', data: { completion: ANSWER } })
  const lastEventId = String(deltas.at(-1)?.id)
  const resumed = await server.get(`/tickets/${id}`, {
    accept: 'text/event-stream',
    'last-event-id': lastEventId,
  })
  expect(readEvents(resumed.text).map(({ event }) => event)).toEqual(['status', 'done'])
  const over = { accept: 'text/event-stream', 'last-event-id': String(events.at(-1)?.id) }
  expect((await server.get(`/tickets/${id}`, over)).status).toBe(204)
})

it('streams to a reader who waits for the run, and tells one who comes later how it ended', async () => {
  await using server = await openTicketServer({ simulated: LONG })
  const first = await server.post('/tickets', EVENT)
  await server.simulator.waitForCall()
  const { body } = await server.post('/tickets', { ...EVENT, parameters: { max_tokens: 9 } })
  const url = `http://127.0.0.1:${server.port}/tickets/`
  const headers = { accept: 'text/event-stream' }
  const [early, late] = await Promise.all([
    // Both resolve with the head, when the ticket is being watched.
    fetch(`${url}${body.id}`, { headers }),
    fetch(`${url}${first.body.id}`, { headers }),
  ])
  await server.delete(`/tickets/${first.body.id}`)
  const names = async (reply: Response) => readEvents(await reply.text()).map(({ event }) => event)
  expect(new Set(await names(early))).toEqual(new Set(['status', 'delta', 'done']))
  expect(await names(late)).toEqual(['status', 'status', 'error'])
  expect(server.simulator.calls.map(({ stream }) => stream)).toEqual([false, true])
})

it.each([
  ['text/event-stream;q=0', 'application/json'],
  ['application/json, text/event-stream;q=0.5', 'application/json'],
  ['*/*, text/event-stream;q=0.5', 'application/json'],
  ['text/event-stream, application/json', 'text/event-stream'],
])('Accept: %s is answered in %s, with a key and for a ticket as without', async (accept, type) => {
  await using server = await openTicketServer({ simulated: FAST })
  const plain = await server.post('/event', EVENT, { accept })
  const kept = await server.post('/event', EVENT, { accept, 'idempotency-key': 'one' })
  const list = await server.get('/tickets')
  const shown = await server.get(`/tickets/${list.body.data[0].id}`, { accept })
  const types = [plain, kept, shown].map(({ headers }) => headers.get('content-type')?.split(';', 1)[0])
  expect(types).toEqual([type, type, type])
})

it('goes on in the middle of a running text', async () => {
  await using server = await openTicketServer({ simulated: LONG })
  const { id } = await server.accept({ parameters: { max_tokens: 60 } }, { wantsStream: true })
  await untilText(server.desk, id, 20)
  const from = 1_000_000_000 + 8
  const { text } = await server.get(`/tickets/${id}?starting_after=${from}`, {
    accept: 'text/event-stream',
  })
  const deltas = readEvents(text).filter(({ event }) => event === 'delta')
  expect(deltas[0]?.data.text).toMatch(/^three four/)
})

it('ends who waits when the server closes', async () => {
  const server = await openTicketServer({ simulated: LONG })
  const watch = vi.spyOn(server.desk, 'watch')
  const { body } = await server.post('/tickets', EVENT)
  await server.simulator.waitForCall()
  const waiting = server.get(`/tickets/${body.id}?wait=5m`)
  await expect.poll(() => watch.mock.calls.length).toBeGreaterThan(0)
  await server[Symbol.asyncDispose]()
  expect((await waiting).body.status).toBe('in_progress')
})

it('removes what is finished, dead letters only where that is said, and tells how much', async () => {
  await using server = await openTicketServer({ simulated: FAST })
  const times = { createdAt: 1, finishedAt: 2 }
  const error = 'api_client_error' as const
  const outcome = { error, details: 'x', id: 'e', duration_ms: 1, attempts: [] }
  await server.store.record([{ event: null, eventId: 'e', caller: '', outcome, ...times }])
  const done = await server.post('/event', EVENT, { ...ASYNC, prefer: 'respond-async, wait=10' })
  const failed = await server.post('/tickets?wait=10s', { ...EVENT, model: 'none', backend: 'nobody' })
  await server.until(failed.body.id, ({ state }) => state.status === 'failed')
  const prune = async (body: object) => (await server.post('/tickets/prune', body)).body
  const later = new Date(Date.now() + 60_000).toISOString()
  expect(await prune({ finished_before: later, dry_run: true })).toEqual({
    object: 'prune',
    removed: 2,
    dry_run: true,
  })
  expect(await prune({ keep: 1 })).toMatchObject({ removed: 1 })
  expect(await prune({ finished_before: later })).toMatchObject({ removed: 1, dry_run: false })
  expect(await server.get(done.headers.get('location') ?? '')).toMatchObject({ status: 404 })
  expect(await prune({ finished_before: later, failed: true })).toMatchObject({ removed: 1 })
})

it.each([
  [{}, '`finished_before` is missing, or `keep`.'],
  [[], 'The body must be an object'],
  [{ keep: 1, failed: true }, '`finished_before` is missing.'],
  [{ keep: -1 }, '`keep` must be'],
  [{ keep: 1, dryRun: true }, 'There is no `dryRun`.'],
  [{ keep: 1, dry_run: 'yes' }, '`dry_run` must be'],
  [{ finished_before: 'yesterday' }, '`finished_before` must be a time'],
])('removes nothing for %j', async (body, details) => {
  await using server = await openTicketServer({ simulated: FAST })
  expect(await server.post('/tickets/prune', body)).toMatchObject({
    status: 400,
    body: { error: 'invalid_input_format', details: expect.stringContaining(details) },
  })
})

it('keeps the keys of callers apart', async () => {
  await using server = await openTicketServer({
    simulated: FAST,
    server: { apiKeys: ['alpha-key', 'beta-key'] },
  })
  const as = (key: string) => ({ authorization: `Bearer ${key}`, 'idempotency-key': 'k' })
  const alpha = await server.post('/tickets', EVENT, as('alpha-key'))
  const beta = await server.post('/tickets', EVENT, as('beta-key'))
  expect(alpha.status).toBe(202)
  expect(beta.body.id).not.toBe(alpha.body.id)
  expect(await server.post('/tickets', EVENT)).toMatchObject({ status: 401 })
})

async function firstTicket(store: TicketStore) {
  for (;;) {
    const changed = Promise.withResolvers<void>()
    const stop = store.subscribe(() => changed.resolve())
    const [ticket] = (await store.list({})).tickets
    if (ticket === undefined) await changed.promise
    stop()
    if (ticket) return ticket
  }
}

it('long numbers keep their digits from the request to the outcome, and tell requests apart', async () => {
  await using server = await openTicketServer({
    simulated: { tokensPerSecond: 100_000, answer: ({ messages = [] }) => JSON.stringify(messages) },
  })
  const post = async (order: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}/tickets`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' },
      body: `{"content":{"order":${order}},"metadata":{"order":${order}}}`,
    })
    return { status: response.status, body: (await response.json()) as { id: string } }
  }
  const first = await post('1187654321098765433')
  expect(first.status).toBe(202)
  const { text } = await server.get(`/tickets/${first.body.id}?wait=10s`)
  expect(text).toContain('"status":"completed"')
  // In content and metadata of the event, in the prompt that was answered, and in the outcome.
  expect(text.match(/1187654321098765433/g)?.length).toBe(4)
  expect((await post('1187654321098765433')).body.id).toBe(first.body.id)
  expect(await post('1187654321098765434')).toMatchObject({ status: 422 })
})
