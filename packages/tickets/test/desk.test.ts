import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import {
  createSqliteStore,
  createTicketDesk,
  StoreUnavailable,
  type TicketDeskOptions,
  type TicketStore,
} from '../src/index.ts'
import { isFinished } from '../src/ticket/ticket.ts'
import { openTicketDesk, untilText } from './open-ticket-desk.ts'
import { ANSWER } from './ticket-store-contract.ts'

const LONG = { answer: () => 'one two three four five '.repeat(200), tokensPerSecond: 50 }
const FAST = { tokensPerSecond: 100_000 }

it('runs a ticket and records its outcome', async () => {
  await using at = await openTicketDesk({ simulated: FAST })
  const { id } = await at.accept()
  const ticket = await at.until(id, isFinished)
  expect(ticket).toMatchObject({
    runs: 1,
    attempts: [{ backend: 'b1', endpoint: 'chat', result: 'completed' }],
    state: { status: 'completed', outcome: { id: 'evt_1', backend: 'b1' } },
  })
})

it('writes down the call before it is sent', async () => {
  await using at = await openTicketDesk({ simulated: LONG })
  const { id } = await at.accept()
  const call = await at.simulator.waitForCall()
  expect((await at.store.get(id))?.state).toMatchObject({
    status: 'in_progress',
    call: { backend: 'b1', endpoint: 'chat', key: call.genkey },
  })
})

it('claims no more tickets than there are free slots', async () => {
  await using at = await openTicketDesk({ simulated: LONG, concurrency: 2 })
  for (let number = 0; number < 5; number++) await at.accept()
  await at.simulator.waitForCall(2)
  expect((await at.store.stats()).byStatus).toMatchObject({ queued: 3, in_progress: 2 })
  expect(at.desk.running).toBe(2)
})

it('keeps the slot busy while tickets wait, and leaves it to events in between', async () => {
  await using at = await openTicketDesk({ simulated: FAST })
  const tickets = []
  for (let number = 0; number < 20; number++) tickets.push(await at.accept())
  const event = await at.dispatcher.onEvent({ content: 'Me, too.' })
  expect(event).toHaveProperty('completion')
  for (const { id } of tickets) expect((await at.until(id, isFinished)).state.status).toBe('completed')
  expect(at.simulator.maxRunning).toBe(1)
  expect(at.simulator.calls).toHaveLength(21)
})

it('saves the text so far', async () => {
  await using at = await openTicketDesk({ simulated: LONG, desk: { progressMs: 50 } })
  const { id } = await at.accept({}, { wantsStream: true })
  const ticket = await at.until(id, ({ partial }) => (partial ?? '').length > 20)
  expect(ticket.partial).toMatch(/^one two three/)
  expect(at.desk.textOf(id)?.text).toContain(ticket.partial)
})

it('asks for the whole answer at once where nobody reads its text', async () => {
  await using at = await openTicketDesk({ simulated: FAST })
  const { id } = await at.accept()
  await at.until(id, isFinished)
  expect(at.simulator.calls).toMatchObject([{ stream: false }])
})

it('streams where somebody reads the text when the run begins, or its caller wants it', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  let mayClaim = Promise.resolve()
  await using at = await openTicketDesk({
    simulated: { ...FAST, answer: () => 'one two three' },
    store: { ...store, claim: (request) => mayClaim.then(() => store.claim(request)) },
  })
  const texts: string[] = []
  const isRead = Promise.withResolvers<void>()
  mayClaim = isRead.promise
  const read = await at.accept()
  const stop = at.desk.watchText(read.id, () => texts.push(at.desk.textOf(read.id)?.text ?? ''))
  isRead.resolve()
  await at.until(read.id, isFinished)
  stop()
  expect(texts).toContain('one two three')
  const wanted = await at.accept({}, { wantsStream: true })
  await at.until(wanted.id, isFinished)
  const unread = await at.accept()
  await at.until(unread.id, isFinished)
  expect(at.simulator.calls.map(({ stream }) => stream)).toEqual([true, true, false])
})

it('asks for data as a whole, whoever reads: it has no text', async () => {
  await using at = await openTicketDesk({ simulated: { ...FAST, answer: () => '{"a":1}' } })
  const schema = { type: 'object', properties: { a: { type: 'number' } } }
  const { id } = await at.accept({ schema }, { wantsStream: true })
  const ticket = await at.until(id, isFinished)
  expect(ticket.state).toMatchObject({ status: 'completed', outcome: { data: { a: 1 } } })
  expect(at.simulator.calls).toMatchObject([{ stream: false }])
})

it.each([
  { wantsStream: false, text: undefined },
  { wantsStream: true, text: expect.stringMatching(/^one/) },
])('stops the generation of a cancelled ticket; its text is kept if it was streamed: %j', async (given) => {
  await using at = await openTicketDesk({ simulated: LONG })
  const { id } = await at.accept({}, { wantsStream: given.wantsStream })
  await at.simulator.waitFor(({ generating }) => generating)
  if (given.wantsStream) await untilText(at.desk, id, 3)
  await at.store.cancel(id)
  const ticket = await at.until(id, isFinished)
  expect(ticket).toMatchObject({
    attempts: [{ backend: 'b1', result: 'cancelled' }],
    state: { status: 'cancelled', outcome: { error: 'cancelled' } },
  })
  expect('outcome' in ticket.state && ticket.state.outcome).toEqual(
    given.text === undefined
      ? expect.not.objectContaining({ partial: expect.anything() })
      : expect.objectContaining({ partial: given.text }),
  )
  await at.simulator.waitFor(({ generating }) => !generating)
  expect(at.simulator.calls[0]?.state).not.toBe('completed')
})

it('tries again later after a failure that may pass', async () => {
  await using at = await openTicketDesk({ simulated: FAST, desk: { retryDelaysMs: [20, 20] } })
  await at.simulator.stopListening()
  const { id } = await at.accept()
  const waiting = await at.until(id, ({ retries }) => retries > 0)
  expect(waiting).toMatchObject({ lastFailure: { error: 'api_connection_error' } })
  await at.simulator.startListening()
  const ticket = await at.until(id, isFinished)
  expect(ticket.state.status).toBe('completed')
  expect(ticket.attempts.length).toBeGreaterThan(1)
})

it('gives up into the dead letters, with the whole story', async () => {
  await using at = await openTicketDesk({ desk: { retryDelaysMs: [1] }, tuning: { breakerFailures: 100 } })
  await at.simulator.stopListening()
  const { id } = await at.accept()
  const ticket = await at.until(id, isFinished)
  expect(ticket).toMatchObject({ runs: 2, retries: 1, state: { status: 'failed' } })
  expect(ticket.attempts.map(({ result }) => result)).toContain('api_connection_error')
})

it('ends at once what will not be different in an hour', async () => {
  await using at = await openTicketDesk({ simulated: FAST })
  const { id } = await at.accept({ backend: 'b1', model: 'unknown', content: '' })
  const ticket = await at.until(id, isFinished)
  expect(ticket).toMatchObject({
    runs: 1,
    retries: 0,
    state: { outcome: { error: 'prompt_extraction_failed' } },
  })
})

it('starts a ticket at its time, not before', async () => {
  await using at = await openTicketDesk({ simulated: FAST })
  const notBefore = Date.now() + 150
  const { id } = await at.accept({}, { notBefore })
  const ticket = await at.until(id, isFinished)
  expect(ticket.startedAt).toBeGreaterThanOrEqual(notBefore)
  expect(ticket.startedAt).toBeLessThan(notBefore + 10_000)
})

it('gives running tickets back when it closes', async () => {
  await using at = await openTicketDesk({ simulated: LONG })
  const { id } = await at.accept()
  await at.simulator.waitFor(({ generating }) => generating)
  await at.desk.close()
  expect(await at.store.get(id)).toMatchObject({ retries: 0, crashes: 0, state: { status: 'queued' } })
  await at.simulator.waitFor(({ generating }) => !generating)
})

it('lets running tickets end while it drains', async () => {
  await using at = await openTicketDesk({ simulated: { ...FAST, answer: () => 'yes' } })
  const { id } = await at.accept()
  await at.until(id, ({ state }) => state.status === 'in_progress')
  await at.desk.close({ drainMs: 5_000 })
  expect((await at.store.get(id))?.state.status).toBe('completed')
})

it('gives tickets back that the dispatcher ends because it closes', async () => {
  await using at = await openTicketDesk({ simulated: LONG })
  const { id } = await at.accept()
  await at.simulator.waitFor(({ generating }) => generating)
  await Promise.all([at.desk.close({ drainMs: 10_000 }), at.dispatcher.close()])
  expect((await at.store.get(id))?.state.status).toBe('queued')
})

it('takes over what an earlier process left: stops its generation, runs the ticket again', async () => {
  await using at = await openTicketDesk({ simulated: LONG })
  await at.desk.close()
  const { id } = await at.accept({ parameters: { max_tokens: 900 } })
  const owner = { worker: 'local', session: 'dead' }
  const [held] = await at.store.claim({ owner, leaseMs: 60_000, limit: 1 })
  if (held === undefined) throw new Error('nothing was claimed')
  const body = JSON.stringify({ prompt: 'Why?', genkey: 'KEY', max_length: 900 })
  const orphan = fetch(`${at.simulator.url}/api/v1/generate`, { method: 'POST', body })
  const first = await at.simulator.waitForCall()
  const call = { backend: 'b1', endpoint: 'native', key: 'KEY', startedAt: Date.now() }
  await at.store.saveProgress(held, { call })
  await using next = await openNextDesk(at)
  expect(first.state).toBe('aborted')
  const ticket = await at.until(id, ({ runs }) => runs === 2)
  expect(ticket).toMatchObject({ crashes: 1, attempts: [{ endpoint: 'native', result: 'cancelled' }] })
  expect(next.running).toBe(1)
  await orphan
})

it('gives up a ticket whose process dies again and again', async () => {
  await using at = await openTicketDesk()
  await at.desk.close()
  const { id } = await at.accept()
  await at.store.claim({ owner: { worker: 'local', session: 'dead' }, leaseMs: 60_000, limit: 1 })
  await using _next = await openNextDesk(at, { maxCrashes: 1 })
  expect((await at.store.get(id))?.state).toMatchObject({
    status: 'failed',
    outcome: { error: 'internal_error' },
  })
})

it('counts no crash for a ticket that it was given and never heard of', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  let isLost = false
  const broken: TicketStore = {
    ...store,
    async claim(request) {
      const claimed = await store.claim(request)
      if (isLost || claimed.length === 0) return claimed
      isLost = true
      throw new StoreUnavailable('unknown', 'The connection broke during the commit.')
    },
  }
  await using at = await openTicketDesk({ store: broken, desk: { leaseMs: 150, maxCrashes: 1 } })
  const { id } = await at.accept()
  const ticket = await at.until(id, isFinished)
  expect(isLost).toBe(true)
  expect(ticket).toMatchObject({ runs: 2, crashes: 0, state: { status: 'completed' } })
})

async function openNextDesk(
  { store, dispatcher }: Awaited<ReturnType<typeof openTicketDesk>>,
  more: Partial<TicketDeskOptions> = {},
) {
  const desk = createTicketDesk({ store, dispatcher, ...more })
  await desk.start()
  return desk
}

it('does not look for tickets because an event was recorded', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  let claims = 0
  const claim: TicketStore['claim'] = (request) => {
    claims += 1
    return store.claim(request)
  }
  // Nothing happens by the clock.
  const clock = createVirtualClock()
  await using at = await openTicketDesk({ store: { ...store, claim }, desk: { clock } })
  const before = claims
  const entry = { event: { content: 'Hi' }, eventId: 'evt_1', caller: '', createdAt: 1, finishedAt: 2 }
  await at.store.record([{ ...entry, outcome: ANSWER }])
  expect(claims).toBe(before)
  await at.accept()
  expect(claims).toBeGreaterThan(before)
})
