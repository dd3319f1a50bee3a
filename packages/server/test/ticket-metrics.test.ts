import { createMetrics, type Metrics } from '@ai-ticket/http-server'
import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const REPORT = { backends: [], line: { waiting: 0, capacity: 0 } }
const open = () => createMetrics()

async function samples(metrics: Metrics): Promise<string[]> {
  const text = await metrics.render(REPORT)
  return text.split('\n').filter((line) => /^ai_ticket_(tickets|store|callback)/.test(line))
}

const byStatus = { queued: 3, in_progress: 1, completed: 9, failed: 2, cancelled: 0 }

test('tickets and callbacks are shown as the store knows them at that moment', async () => {
  const metrics = await open()
  metrics.showTickets({
    stats: async () => ({ byStatus }),
    nextDueInMs: async () => -90_000,
    pendingCallbacks: async () => 4,
  })
  expect(await samples(metrics)).toEqual(
    expect.arrayContaining([
      'ai_ticket_tickets{status="queued"} 3',
      'ai_ticket_tickets{status="failed"} 2',
      'ai_ticket_tickets_overdue_seconds 90',
      'ai_ticket_callbacks_pending 4',
      'ai_ticket_store_available 1',
    ]),
  )
})

test('a ticket that is to start later is not overdue', async () => {
  const metrics = await open()
  metrics.showTickets({
    stats: async () => ({ byStatus }),
    nextDueInMs: async () => 90_000,
    pendingCallbacks: async () => 0,
  })
  expect(await samples(metrics)).toContain('ai_ticket_tickets_overdue_seconds 0')
})

test('a store that fails is seen as that, beside all other metrics', async () => {
  const metrics = await open()
  let fails = false
  metrics.showTickets({
    stats: async () => {
      if (fails) throw new Error('The disk is full.')
      return { byStatus }
    },
    nextDueInMs: async () => undefined,
    pendingCallbacks: async () => 0,
  })
  await samples(metrics)
  fails = true
  const shown = await samples(metrics)
  expect(shown).toContain('ai_ticket_store_available 0')
  expect(shown.join('\n')).not.toMatch(/ai_ticket_tickets\{.*\} [1-9]/)
})

test('a store that does not answer holds no scrape up for longer than 2 s, and is asked once until it does', async () => {
  const clock = createVirtualClock()
  const metrics = await createMetrics({ clock })
  let asked = 0
  let answer: (() => void) | undefined
  metrics.showTickets({
    stats: () => {
      asked += 1
      return new Promise((resolve) => {
        answer = () => resolve({ byStatus })
      })
    },
    nextDueInMs: async () => undefined,
    pendingCallbacks: async () => 0,
  })
  const first = samples(metrics)
  await clock.advance(2_000)
  expect(await first).toContain('ai_ticket_store_available 0')
  const second = samples(metrics)
  answer?.()
  expect(await second).toEqual(
    expect.arrayContaining(['ai_ticket_store_available 1', 'ai_ticket_tickets{status="queued"} 3']),
  )
  expect(asked).toBe(1)
})

test('a store that can be read and takes no writes is not available; its numbers are shown', async () => {
  const metrics = await open()
  let problem: Error | undefined = new Error('The disk is full.')
  metrics.showTickets({
    stats: async () => ({ byStatus }),
    nextDueInMs: async () => undefined,
    pendingCallbacks: async () => 0,
    problem: async () => problem,
  })
  const refused = await samples(metrics)
  problem = undefined
  expect(refused).toContain('ai_ticket_store_available 0')
  expect(refused).toContain('ai_ticket_tickets{status="queued"} 3')
  expect(await samples(metrics)).toContain('ai_ticket_store_available 1')
})

test('attempts to deliver callbacks are counted by result', async () => {
  const metrics = await open()
  metrics.callbackObserver.attemptEnded({ result: 'failed', durationMs: 120 })
  metrics.callbackObserver.attemptEnded({ result: 'delivered', durationMs: 30 })
  expect(await samples(metrics)).toEqual(
    expect.arrayContaining([
      'ai_ticket_callback_attempts_total{result="failed"} 1',
      'ai_ticket_callback_attempts_total{result="delivered"} 1',
      'ai_ticket_callback_duration_seconds_count 2',
    ]),
  )
})
