import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { createSqliteStore, StoreUnavailable, type TicketStore } from '../src/index.ts'
import { isFinished } from '../src/ticket/ticket.ts'
import { EMPTY_STORES } from './open-pglite-store.ts'
import { openTicketDesk } from './open-ticket-desk.ts'
import { openTicketServer } from './open-ticket-server.ts'

const LEASE_MS = 150

describe.each(EMPTY_STORES)('outcomes on %s', { timeout: 120_000 }, (_name, open) => {
  it('are held while the disk is full, for many leases, and written when there is room', async () => {
    const full = fillable(await open())
    await using at = await openTicketDesk({
      store: full.store,
      simulated: { answer: () => 'one two three '.repeat(20), tokensPerSecond: 100 },
      desk: { leaseMs: LEASE_MS },
      concurrency: 2,
    })
    const tickets = [await at.accept(), await at.accept()]
    await at.simulator.waitForCall(2)
    full.fill()
    // Far more than one lease, and long enough for the pauses between two tries to grow.
    while (full.refused.settle < 6 || full.refused.heartbeat < 12) await full.refusal()
    expect(at.desk.unrecorded).toBe(2)
    expect(at.desk.refused).toMatchObject({ problem: 'full' })
    full.free()
    for (const { id } of tickets) {
      expect(await at.until(id, isFinished)).toMatchObject({
        runs: 1,
        crashes: 0,
        attempts: [{ result: 'completed' }],
        state: { status: 'completed' },
      })
    }
    expect(at.simulator.calls).toHaveLength(2)
    await expect.poll(() => at.desk.unrecorded).toBe(0)
  })

  it('that the store does not take as they are end as failed, once', async () => {
    const store = await open()
    const broken: TicketStore = {
      ...store,
      settle: async (fence, outcome) => {
        if (outcome.error === undefined) throw new TypeError('A bug: this cannot be written.')
        return await store.settle(fence, outcome)
      },
    }
    await using at = await openTicketDesk({ store: broken, desk: { leaseMs: LEASE_MS } })
    const { id } = await at.accept()
    expect(await at.until(id, isFinished)).toMatchObject({
      runs: 1,
      crashes: 0,
      state: { status: 'failed', outcome: { error: 'internal_error' } },
    })
    expect(at.simulator.calls).toHaveLength(1)
  })
})

/** A store whose disk can be full: what would write is refused, what reads is not. */
function fillable(store: TicketStore) {
  let isFull = false
  let refused = Promise.withResolvers<void>()
  const numbers = { settle: 0, heartbeat: 0 }
  const refuse = (name?: keyof typeof numbers) => {
    if (name) numbers[name] += 1
    refused.resolve()
    refused = Promise.withResolvers()
    throw new StoreUnavailable('full', 'The disk is full.')
  }
  const problem = async () => (isFull ? new StoreUnavailable('full', 'The disk is full.') : undefined)
  const beats = async () => {
    if (isFull) numbers.heartbeat += 1
    return await problem()
  }
  const shut: TicketStore = {
    ...store,
    problem: beats,
    accept: async (given) => (isFull ? refuse() : store.accept(given)),
    claim: async (request) => (isFull ? refuse() : store.claim(request)),
    adopt: async (request) => (isFull ? refuse() : store.adopt(request)),
    heartbeat: async (fences, ms) => (isFull ? refuse('heartbeat') : store.heartbeat(fences, ms)),
    saveProgress: async (fence, progress) => (isFull ? refuse() : store.saveProgress(fence, progress)),
    settle: async (fence, outcome) => (isFull ? refuse('settle') : store.settle(fence, outcome)),
    release: async (fence, release) => (isFull ? refuse() : store.release(fence, release)),
  }
  return {
    store: shut,
    refused: numbers,
    refusal: () => refused.promise,
    fill() {
      isFull = true
    },
    free() {
      isFull = false
    },
  }
}

describe.each(EMPTY_STORES)('%s', { timeout: 120_000 }, (_name, open) => {
  it('says what keeps it from being written, and looks again by itself', async () => {
    await using store = await open()
    expect(await store.problem()).toBeUndefined()
    await store.close()
    expect(await store.problem()).toMatchObject({ problem: 'closed' })
  })
})

it('SQLite is not available from the first refused write to the moment when there is room', async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'tickets-')), 'data')
  await using at = await openTicketServer({ store: createSqliteStore({ directory }) })
  // A transaction that does not end stands for a disk without room.
  using other = new DatabaseSync(join(directory, 'tickets.db'))
  other.exec('BEGIN IMMEDIATE')
  expect((await at.post('/tickets', { content: 'Why?' })).status).toBe(503)
  const away = await at.get('/health')
  expect(away.body).toMatchObject({ status: 'degraded', ticket_store: { status: 'unavailable' } })
  other.exec('ROLLBACK')
  expect((await at.get('/health')).body).toMatchObject({ ticket_store: { status: 'available' } })
})
