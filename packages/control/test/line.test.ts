import { once } from 'node:events'
import { systemClock } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { openControl } from './open-control.ts'

const apiKeys = [
  { key: 'mine', name: 'mine', scopes: ['events'] },
  { key: 'theirs', name: 'theirs', scopes: ['events'] },
  { key: 'r', name: 'viewer', scopes: ['read'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
] as const

/** It writes for 20 s. */
const LONG = { answer: () => 'one two three four five '.repeat(200), tokensPerSecond: 50 }

/** A desk with one slot: a ticket of `mine` runs, and a plain event of `theirs` waits for it. */
async function openBusy() {
  const desk = await openControl({ simulated: LONG, server: { apiKeys } })
  const { body: ticket } = await desk.ask('POST', '/tickets', { key: 'mine', body: { content: 'Why?' } })
  await expect.poll(() => desk.dispatcher.line().running[0]?.endpoint).toBeTruthy()
  const waits = desk.send('POST', '/event', {
    key: 'theirs',
    body: { id: 'evt_w', content: 'And?', priority: 3 },
  })
  const waited = once(waits, 'response')
  await expect.poll(() => desk.dispatcher.report().line.waiting).toBe(1)
  return {
    ...desk,
    ticket,
    waited,
    line: async () => (await desk.ask('GET', '/line', { key: 'r' })).body,
    async [Symbol.asyncDispose]() {
      waits.destroy()
      await waited.catch(() => {})
      await desk[Symbol.asyncDispose]()
    },
  }
}

test('shows who runs and who waits, with their tickets', async () => {
  await using desk = await openBusy()
  expect(await desk.line()).toMatchObject({
    object: 'line',
    worker: 'desk-1',
    capacity: 1_000,
    running: [{ ticket_id: desk.ticket.id, caller: 'mine', backend: 'b1', priority: 0 }],
    waiting: [
      { event_id: 'evt_w', caller: 'theirs', priority: 3, position: 1, late: false, backends: ['b1'] },
    ],
    more: 0,
  })
  expect((await desk.ask('GET', '/line', { key: 'mine' })).status).toBe(403)
})

test('cancels the run of a ticket with its ticket, and shows that the backend stopped', async () => {
  await using desk = await openBusy()
  const { running, waiting } = await desk.line()
  const path = `/line/${running[0].hand}`
  expect(await desk.ask('DELETE', path, { key: 'theirs' })).toMatchObject({ status: 404 })
  expect(await desk.ask('DELETE', path, { key: 'r' })).toMatchObject({ status: 403 })
  expect(await desk.ask('DELETE', path, { key: 'mine' })).toMatchObject({
    status: 200,
    body: { hand: running[0].hand, stopped: true },
  })
  const { state } = await desk.until(desk.ticket.id, (ticket) => 'finishedAt' in ticket.state)
  expect(state.status).toBe('cancelled')
  expect(await desk.ask('DELETE', path, { key: 'a' })).toMatchObject({ status: 404 })
  // The next one has its slot now, under the same name.
  await expect.poll(async () => (await desk.line()).running[0]?.hand).toBe(waiting[0].hand)
})

test('cancels an event that waits, with a word to its caller, and writes down who did', async () => {
  const lines: unknown[] = []
  const note = (message: string, fields?: object) => void lines.push({ message, ...fields })
  const logger = { debug() {}, info: note, warn() {}, error() {} }
  await using desk = await openControl({ simulated: LONG, server: { apiKeys }, control: { logger } })
  const first = desk.send('POST', '/event', { key: 'theirs', body: { content: 'Why?' } })
  first.on('error', () => {})
  await expect.poll(() => desk.dispatcher.line().running.length).toBe(1)
  const answered = desk.ask('POST', '/event', { key: 'theirs', body: { content: 'And?' } })
  await expect.poll(() => desk.dispatcher.report().line.waiting).toBe(1)
  const { body } = await desk.ask('GET', '/line', { key: 'r' })
  const { hand } = body.waiting[0]
  expect(await desk.ask('DELETE', `/line/${hand}`, { key: 'a' })).toMatchObject({
    status: 200,
    body: { hand, stopped: true },
  })
  expect((await answered).body).toMatchObject({ error: 'cancelled' })
  expect(lines).toMatchObject([{ message: 'operator acted', action: 'cancel', hand, by: 'boss' }])
  first.destroy()
})

test('says 202 where the backend does not stop', async () => {
  await using desk = await openControl({
    // With continuous batching, KoboldCPP says that it has stopped, and goes on.
    simulated: { ...LONG, concurrency: 4 },
    control: { clock: { ...systemClock, setTimer: (call, ms) => systemClock.setTimer(call, ms / 50) } },
  })
  const runs = desk.send('POST', '/event', { body: { content: 'Why?' } })
  runs.on('error', () => {})
  await expect.poll(() => desk.dispatcher.line().running[0]?.endpoint).toBeTruthy()
  const [{ hand }] = (await desk.ask('GET', '/line')).body.running
  const { status, body } = await desk.ask('DELETE', `/line/${hand}`)
  expect([status, body]).toEqual([202, { hand, stopped: false }])
  expect((await desk.ask('GET', '/line')).body.running).toMatchObject([{ hand, phase: 'stopping' }])
})
