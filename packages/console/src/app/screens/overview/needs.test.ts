import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { DeskBody } from '../../api/desk.ts'
import { needsOf } from './needs.ts'

const backend = (name: string, differs: Partial<DeskBody['backends'][number]> = {}) => ({
  ...{ name, state: 'ready' as const, models: [], concurrency: 1, in_flight: 0 },
  ...{ breaker: 'closed' as const, repeats_left: 10 },
  ...differs,
})

const WELL: DeskBody = {
  backends: [backend('small')],
  line: { waiting: 0, capacity: 1_000 },
  store: { status: 'available' },
  callbacks: { pending: 2, dead: 0 },
}

const WORST: DeskBody = {
  backends: [
    backend('paused', { paused: { since: '2026-03-01T14:00:00.000Z', by: 'ops' } }),
    backend('left', { breaker: 'open', repeats_left: 0 }),
    backend('big', { state: 'down', details: 'connection refused', breaker: 'open' }),
    backend('old', { state: 'stuck' }),
  ],
  line: { waiting: 801, capacity: 1_000, oldest_ms: 121_000 },
  store: { status: 'unavailable', details: 'disk full' },
  callbacks: { pending: 1_001, dead: 200 },
}

test('where all is well nothing needs anybody', () => {
  expect(needsOf(WELL, 0)).toEqual([])
  const { callbacks: _none, ...without } = WELL
  expect(needsOf({ ...without, store: { status: 'none' } }, 0)).toEqual([])
})

test('says each thing once, the worst first, with what others said about it', () => {
  const needs = needsOf(WORST, 3)
  expect(needs.map(({ words, details }) => (details === undefined ? words : `${words}: ${details}`))).toEqual(
    [
      'The ticket store does not answer; no tickets are accepted: disk full',
      'big is down: connection refused',
      'old does not stop a generation that nobody wants',
      'The line is nearly full: 801 of 1000 places',
      'paused is paused by ops: nothing new goes there',
      'left is left out: its breaker is open',
      'left fails so often that calls are no longer repeated',
      'The oldest event has waited for 2 min 1 s',
      '3 tickets failed since you last looked',
      '200 or more callbacks were given up: the receivers did not take them',
      '1,001 callbacks wait to be sent',
    ],
  )
  expect(needsOf({ ...WELL, callbacks: { pending: 0, dead: 1 } }, 1).map(({ words }) => words)).toEqual([
    '1 ticket failed since you last looked',
    '1 callback was given up: the receivers did not take them',
  ])
})

/** A rate over time, or the server itself: the feed does not tell these. */
const NOT_IN_THE_FEED = [
  ...['AiTicketAway', 'AiTicketEventsFail', 'AiTicketBug', 'AiTicketWastesGeneration'],
  ...['AiTicketEventLoopLate', 'AiTicketTicketsWait'],
]

test('has an item for each alert of the example whose cause the feed tells', () => {
  const url = new URL('../../../../../../examples/observability/alerts.yml', import.meta.url)
  const alerts = [...readFileSync(url, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
  const told = new Set(needsOf(WORST, 0).flatMap(({ alert }) => alert ?? []))
  expect([...told, ...NOT_IN_THE_FEED].sort()).toEqual(alerts.sort())
})
