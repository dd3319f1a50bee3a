import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  type Backend,
  createDispatcher,
  createKoboldBackend,
  type Dispatcher,
  type EventOptions,
  type Outcome,
  silentLogger,
} from '@ai-ticket/core'
import { createVirtualClock, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import {
  createHistory,
  createSqliteStore,
  createTicketDesk,
  type HistoryEntry,
  type HistoryMode,
  type PruneRequest,
  type TicketStore,
} from '../src/index.ts'
import { isFinished } from '../src/ticket/ticket.ts'
import { newTicket } from './new-ticket.ts'
import { untilTicket } from './open-ticket-desk.ts'
import { ANSWER } from './ticket-store-contract.ts'

const DAY_MS = 86_400_000

async function open(mode: HistoryMode = 'full', between = (dispatcher: Dispatcher) => dispatcher) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: 100_000, answer: () => 'secret answer' })
  const store = createSqliteStore({ directory: ':memory:' })
  const history = createHistory({ store, mode })
  const backend = createKoboldBackend({ url: simulator.url })
  const dispatcher = createDispatcher({ backends: [{ backend }], onOutcome: history.onOutcome })
  const desk = createTicketDesk({ store, dispatcher: between(dispatcher) })
  await desk.start()
  return {
    store,
    history,
    dispatcher,
    async [Symbol.asyncDispose]() {
      await Promise.all([desk.close(), dispatcher.close()])
      await history.close()
      await store.close()
      await simulator.close()
    },
  }
}

it('keeps an image once, for a ticket as for an event that is answered at once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'images-'))
  const store = createSqliteStore({ directory })
  const history = createHistory({ store })
  const backend: Backend = {
    name: 'seeing',
    endpoints: [{ name: 'chat', turns: true, images: true, tools: false, schema: false }],
    async *generate() {
      yield { type: 'end', text: 'A cat.', finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  const dispatcher = createDispatcher({ backends: [backend], onOutcome: history.onOutcome })
  const desk = createTicketDesk({ store, dispatcher })
  await desk.start()
  const bytes = 4_000_000
  const image_url = { url: `data:image/png;base64,${'A'.repeat(bytes)}` }
  const turn = {
    role: 'user',
    content: [
      { type: 'text', text: 'What?' },
      { type: 'image_url', image_url },
    ],
  }
  const event = { content: JSON.stringify({ messages: [turn] }) }
  expect(await dispatcher.onEvent(event)).toMatchObject({ completion: 'A cat.' })
  const accepted = await store.accept(newTicket({ event }))
  if ('ticket' in accepted) await untilTicket(store, accepted.ticket.id, isFinished)
  await Promise.all([desk.close(), dispatcher.close()])
  await history.close()
  await store.close()
  const kept = lengthOfAll(join(directory, 'tickets.db'))
  rmSync(directory, { recursive: true })
  expect(kept).toBeGreaterThan(2 * bytes)
  expect(kept).toBeLessThan(2 * bytes + 20_000)
})

/** Of all that stands in a database, in every column of every table. */
function lengthOfAll(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  let length = 0
  for (const { name } of database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
    for (const column of database.prepare(`PRAGMA table_info("${name}")`).all()) {
      const sum = database.prepare(`SELECT SUM(LENGTH("${column.name}")) AS length FROM "${name}"`).get()
      length += Number(sum?.length ?? 0)
    }
  }
  database.close()
  return length
}

it('records answered events, and tickets only once', async () => {
  await using at = await open()
  const accepted = await at.store.accept(newTicket())
  if ('ticket' in accepted) await untilTicket(at.store, accepted.ticket.id, isFinished)
  await at.dispatcher.onEvent({ content: 'secret prompt', id: 'e1' }, { caller: 'ci' })
  await at.dispatcher.onEvent({ id: 'e2' } as unknown)
  await at.history.close()
  const { tickets } = await at.store.list({})
  expect(tickets).toMatchObject([
    { eventId: 'e2', kind: 'event', state: { outcome: { error: 'missing_content_field' } } },
    {
      eventId: 'e1',
      kind: 'event',
      caller: 'ci',
      event: { content: 'secret prompt' },
      state: { status: 'completed' },
    },
    { eventId: 'evt_1', kind: 'ticket' },
  ])
})

/** As somebody puts one in front of the desk: it hands on an event of its own making. */
const copyingEvents = (dispatcher: Dispatcher): Dispatcher => ({
  ...dispatcher,
  onEvent: ((event: object, options: EventOptions) =>
    dispatcher.onEvent({ ...event } as unknown, options)) as Dispatcher['onEvent'],
  streamEvent: ((event: object, options: EventOptions) =>
    dispatcher.streamEvent({ ...event } as unknown, options)) as Dispatcher['streamEvent'],
})

it('records a ticket once, whatever object its event is', async () => {
  await using at = await open('full', copyingEvents)
  const accepted = await at.store.accept(newTicket())
  if ('ticket' in accepted) await untilTicket(at.store, accepted.ticket.id, isFinished)
  await at.history.close()
  expect((await at.store.list({})).tickets).toMatchObject([{ kind: 'ticket' }])
})

it('keeps no text where only metadata is wanted', async () => {
  await using at = await open('metadata')
  const event = { content: 'secret prompt', id: 'e1', metadata: { of: 'secret' } }
  await at.dispatcher.onEvent(event, { door: 'anthropic' })
  await at.history.close()
  const [ticket] = (await at.store.list({})).tickets
  expect(ticket).toMatchObject({
    eventId: 'e1',
    event: null,
    door: 'anthropic',
    state: { outcome: { backend: 'kobold', waited_ms: 0 } },
  })
  expect(JSON.stringify(ticket)).not.toContain('secret')
})

it('records nothing where it is off', async () => {
  await using at = await open('off')
  await at.dispatcher.onEvent({ content: 'Hi' })
  await at.history.close()
  expect((await at.store.list({})).tickets).toEqual([])
})

it('removes by age and number, and dead letters by an age of their own', async () => {
  const clock = createVirtualClock({ startAt: 100 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  const pruned: PruneRequest[] = []
  const prune: TicketStore['prune'] = async (request) => pruned.push(request)
  const watched = { ...store, prune }
  await using _usual = createHistory({ store: watched, clock })
  await using _other = createHistory({
    store: watched,
    clock,
    keep: 9,
    keepFailedMs: Number.POSITIVE_INFINITY,
  })
  await clock.advance(10_000)
  const now = 100 * DAY_MS + 10_000
  expect(pruned).toEqual([
    {
      finishedBefore: now - 7 * DAY_MS,
      minutesBefore: now - 7 * DAY_MS,
      deadLettersBefore: now - 30 * DAY_MS,
    },
    { finishedBefore: now - 7 * DAY_MS, minutesBefore: now - 7 * DAY_MS, deadLettersBefore: 0, keep: 9 },
  ])
})

it('removes nothing by age while the clock is far beyond the newest ticket, and says so once', async () => {
  const clock = createVirtualClock({ startAt: 140 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  await store.record([recordedAt(100 * DAY_MS)])
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) }
  await using _history = createHistory({ store, clock, logger })
  // What this process accepts has the wrong time, too: it is no proof.
  await store.record([recordedAt(140 * DAY_MS)])
  await clock.advance(DAY_MS - 60_000)
  expect((await store.list({})).tickets).toHaveLength(2)
  expect(warnings).toEqual([expect.stringMatching(/The clock is far beyond the newest ticket/)])
  await clock.advance(700_000)
  expect((await store.list({})).tickets).toHaveLength(1)
})

it('removes beyond the number to keep whatever the clock says', async () => {
  const clock = createVirtualClock({ startAt: 140 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  await store.record([1, 2, 3].map((day) => recordedAt((100 + day) * DAY_MS)))
  await using _history = createHistory({ store, clock, keep: 2 })
  await clock.advance(10_000)
  expect((await store.list({})).tickets).toHaveLength(2)
})

it('removes nothing by age for a day after the clock was set forward while it ran', async () => {
  const clock = createVirtualClock({ startAt: 100 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  let shiftMs = 0
  const set = { ...clock, wallTime: () => clock.wallTime() + shiftMs }
  await store.record([recordedAt(100 * DAY_MS)])
  await using _history = createHistory({ store, clock: set })
  await clock.advance(700_000)
  shiftMs = 40 * DAY_MS
  await clock.advance(DAY_MS - 700_000)
  expect((await store.list({})).tickets).toHaveLength(1)
  await clock.advance(1_400_000)
  expect((await store.list({})).tickets).toHaveLength(0)
})

it('is not taken in by a ticket of the wrong time that an earlier process has taken', async () => {
  const clock = createVirtualClock({ startAt: 140 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  await store.record([recordedAt(100 * DAY_MS), recordedAt(140 * DAY_MS - 60_000)])
  await using _restarted = createHistory({ store, clock })
  await clock.advance(700_000)
  expect((await store.list({})).tickets).toHaveLength(2)
  await clock.advance(DAY_MS)
  expect((await store.list({})).tickets).toHaveLength(1)
})

const recordedAt = (time: number): HistoryEntry => ({
  event: { content: 'Hi' },
  eventId: 'e1',
  caller: '',
  createdAt: time,
  finishedAt: time,
  outcome: ANSWER,
})

it('removes counted minutes with the events of their time', async () => {
  const clock = createVirtualClock({ startAt: 100 * DAY_MS })
  await using store = createSqliteStore({ directory: ':memory:', clock })
  const minute = (day: number) => ({ worker: 'w1', at: day * DAY_MS, counts: '{}' })
  await store.saveMinutes([minute(92), minute(94)])
  await store.record([recordedAt(100 * DAY_MS)])
  await using _history = createHistory({ store, clock })
  await clock.advance(10_000)
  expect(await store.listMinutes({ worker: 'w1', from: 0, before: 100 * DAY_MS })).toEqual([minute(94)])
})

it('never fails an event with the store', async () => {
  await using at = await open()
  await at.store.close()
  expect(await at.dispatcher.onEvent({ content: 'Hi' })).toHaveProperty('completion')
  await at.history.close()
})

it('holds no more than some megabytes for a store that does not write, and says what it has dropped', async () => {
  await using store = createSqliteStore({ directory: ':memory:' })
  const { promise: written, resolve: write } = Promise.withResolvers<void>()
  const recorded: number[] = []
  const record: TicketStore['record'] = async (entries) => {
    recorded.push(entries.length)
    await written
  }
  const warnings: unknown[] = []
  const logger = { ...silentLogger, warn: (_text: string, fields: unknown) => void warnings.push(fields) }
  await using history = createHistory({ store: { ...store, record }, logger })
  const outcome: Outcome = { error: 'cancelled', details: '', id: 'e', duration_ms: 1, attempts: [] }
  const hear = (content: string) =>
    history.onOutcome(outcome, { event: { content }, caller: 'a', waitedMs: 0, isRecorded: false })
  for (let count = 0; count < 5; count++) hear('x'.repeat(10_000_000))
  await expect.poll(() => recorded).toEqual([3])
  hear('x'.repeat(10_000_000))
  hear('short')
  write()
  await history.close()
  expect(recorded).toEqual([3, 1])
  expect(warnings).toEqual([{ count: 2 }, { count: 1 }])
})

it('obeys another mode and another retention from the next event on', async () => {
  const clock = createVirtualClock()
  const pruned: PruneRequest[] = []
  const recorded: HistoryEntry[] = []
  const store: Pick<TicketStore, 'record' | 'prune' | 'list'> = {
    record: async (entries) => void recorded.push(...entries),
    async prune(request) {
      pruned.push(request)
      return 0
    },
    list: async () => ({ tickets: [] }),
  }
  const history = createHistory({ store: store as TicketStore, clock })
  const record = () =>
    history.onOutcome(FAILED, { event: { content: 'x' }, caller: '', waitedMs: 0, isRecorded: false })
  record()
  history.change({ mode: 'metadata', keepMs: 2 * DAY_MS, keep: 9 })
  record()
  history.change({ mode: 'off' })
  record()
  await clock.advance(10_000)
  expect(recorded.map(({ event }) => event)).toEqual([{ content: 'x' }, null])
  const now = clock.wallTime()
  const week = now - 7 * DAY_MS
  expect(pruned).toEqual([
    { finishedBefore: week, deadLettersBefore: now - 30 * DAY_MS, minutesBefore: week },
  ])
  history.change({ keepMs: 2 * DAY_MS, keep: 9 })
  await clock.advance(10_000)
  expect(pruned[1]).toMatchObject({ finishedBefore: clock.wallTime() - 2 * DAY_MS, keep: 9 })
  await history.close()
})

const FAILED: Outcome = { error: 'api_timeout', details: '', id: 'evt_1', duration_ms: 1, attempts: [] }

it('a chat that was answered at once is replayed as it was read: by any turn, with a ceiling', async () => {
  await using at = await open()
  const event = {
    content: { messages: [{ role: 'system' as const, content: 'Greet the user.' }] },
    parameters: { max_tokens: 32_000 },
  }
  await at.dispatcher.onEvent(event, { takesAnyTurn: true, maxTokensIsCeiling: true })
  await at.dispatcher.onEvent({ content: 'Hi' })
  await at.history.close()
  const { tickets } = await at.store.list({})
  expect(tickets.map(({ isChat }) => isChat)).toEqual([undefined, true])
})
