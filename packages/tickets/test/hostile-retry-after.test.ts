import { silentLogger, systemClock } from '@ai-ticket/core'
import type { KoboldFault } from '@ai-ticket/testkit'
import { expect, it } from 'vitest'
import { createSqliteStore } from '../src/index.ts'
import { openTicketServer } from './open-ticket-server.ts'

const HOUR_MS = 3_600_000
const CENTURIES = '9999999999999'

/** Real time, and hours on top of it whenever a test says so. */
function createSkippingClock() {
  let skippedMs = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    wallTime: () => systemClock.wallTime() + skippedMs,
    skip(ms: number) {
      skippedMs += ms
    },
  }
}

const REFUSALS: readonly KoboldFault[] = [
  { fault: 'status', status: 503, retryAfter: CENTURIES },
  { fault: 'status', status: 429, retryAfter: '9'.repeat(400) },
  { fault: 'status', status: 503, retryAfter: 'Sat, 13 Sep 275760 00:00:00 GMT' },
  { fault: 'status', status: 503, headers: { 'retry-after-ms': CENTURIES } },
  { fault: 'rate_limited', seconds: Number(CENTURIES) },
]

it.each(REFUSALS)('puts a ticket off for an hour at most, and answers everybody: %j', async (refusal) => {
  const clock = createSkippingClock()
  const errors: unknown[] = []
  const logger = { ...silentLogger, error: (...line: unknown[]) => void errors.push(line) }
  const store = createSqliteStore({ directory: ':memory:', clock })
  await using server = await openTicketServer({
    simulated: { tokensPerSecond: 100_000, faults: [{ ...refusal, times: 1 }] },
    store,
    tuning: { clock },
    desk: { clock, logger },
    routes: { clock, logger },
  })
  const startedAt = clock.wallTime()
  const { body: refused } = await server.post('/tickets', { content: 'Why?' })
  await server.until(refused.id, ({ retries, state }) => retries === 1 && state.status === 'queued')

  const list = await server.get('/tickets')
  expect(list).toMatchObject({ status: 200, body: { data: [{ id: refused.id, status: 'queued' }] } })
  const putOffMs = Date.parse(list.body.data[0].not_before) - startedAt
  expect(putOffMs).toBeGreaterThanOrEqual(HOUR_MS)
  expect(putOffMs).toBeLessThanOrEqual(HOUR_MS + (clock.wallTime() - startedAt))

  const { body: other } = await server.post('/tickets', { content: 'And you?' })
  await server.until(other.id, ({ state }) => state.status === 'completed')
  clock.skip(HOUR_MS)
  await server.until(refused.id, ({ state }) => state.status === 'completed')
  expect((await server.get('/tickets')).body.data).toHaveLength(2)
  expect(errors).toEqual([])
})
