import { readFileSync } from 'node:fs'
import { FAILURE_CODES } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import type { DeskBody, SeriesBody } from '../../api/desk.ts'
import { isServersFault, LIMITS, needsOf } from './needs.ts'

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
  tickets_overdue_ms: 3_660_000,
}

/** A minute in each step. `lists`: of the last steps; all others are 0. */
function seriesOf(lists: {
  readonly completed?: readonly number[]
  readonly late?: readonly number[]
  readonly errors?: Readonly<Record<string, readonly number[]>>
  readonly abandoned?: readonly number[]
}): SeriesBody {
  const steps = 20
  const last = (values: readonly number[] = []) => [...Array(steps - values.length).fill(0), ...values]
  const none = last()
  const errors = Object.fromEntries(
    Object.entries(lists.errors ?? {}).map(([code, list]) => [code, last(list)]),
  )
  const backend = {
    ...{ busy: none, tokens_in: none, tokens_out: none, stopping_ms: none, failed_ms: none },
    abandoned_ms: last(lists.abandoned),
  }
  const value = { busy: 0, tokens_in: 0, tokens_out: 0, stopping_ms: 0, failed_ms: 0, abandoned_ms: 0 }
  return {
    ...{ object: 'series', worker: 'w', step_s: 60, from: '', to: '', t: none.map(String) },
    ...{ started: none, completed: last(lists.completed), cancelled: none, line_max: none, errors },
    failed: none.map((_, place) => Object.values(errors).reduce((sum, list) => sum + (list[place] ?? 0), 0)),
    ...{ wait_p95: none, duration_p50: none, duration_p95: none, late_max: last(lists.late) },
    backends: { left: backend },
    total: {
      ...{ started: 0, completed: 0, failed: 0, cancelled: 0, line_max: 0, late_max: 0, errors: {} },
      ...{ wait_p95: null, duration_p50: null, duration_p95: null, backends: { left: value } },
    },
  }
}

const QUIET = seriesOf({
  completed: [90],
  late: [900, 0, 0, 0],
  errors: { invalid_input_format: [5], api_timeout: [4] },
})
const BAD = seriesOf({
  completed: [95],
  late: [300, 0, 0, 400, 251],
  errors: { api_timeout: [3, 3], internal_error: [1] },
  abandoned: [180_001],
})

test('where all is well nothing needs anybody', () => {
  expect(needsOf({ desk: WELL, failed: 0 })).toEqual([])
  expect(needsOf({ desk: WELL, failed: 0, series: QUIET })).toEqual([])
  const { callbacks: _none, ...without } = WELL
  expect(needsOf({ desk: { ...without, store: { status: 'none' } }, failed: 0 })).toEqual([])
})

test('says each thing once, the worst first, with what others said about it', () => {
  const needs = needsOf({ desk: WORST, failed: 3, series: BAD, isAway: true })
  expect(needs.map(({ words, details }) => (details === undefined ? words : `${words}: ${details}`))).toEqual(
    [
      'This server does not answer',
      'The ticket store does not answer; no tickets are accepted: disk full',
      'big is down: connection refused',
      'old does not stop a generation that nobody wants',
      'The line is nearly full: 801 of 1000 places',
      '5.9 % of the events of the last 10 minutes failed through no fault of their callers',
      'paused is paused by ops: nothing new goes there',
      'left is left out: its breaker is open',
      'left fails so often that calls are no longer repeated',
      'The oldest event has waited for 2 min 1 s',
      'A bug cost 1 event an answer in the last 10 minutes',
      '20 % of the time of left went to nobody in the last 15 minutes',
      'The server itself is too busy: it is late by up to 400 ms',
      'A ticket that is due has waited for 1 h 1 min',
      '3 tickets failed since you last looked',
      '200 or more callbacks were given up: the receivers did not take them',
      '1,001 callbacks wait to be sent',
    ],
  )
  expect(
    needsOf({ desk: { ...WELL, callbacks: { pending: 0, dead: 1 } }, failed: 1 }).map(({ words }) => words),
  ).toEqual([
    '1 ticket failed since you last looked',
    '1 callback was given up: the receivers did not take them',
  ])
})

const ALERTS = readFileSync(
  new URL('../../../../../../examples/observability/alerts.yml', import.meta.url),
  'utf8',
)
  .split(/- alert: /)
  .slice(1)
const nameOf = (alert: string) => /^\w+/.exec(alert)?.[0] ?? ''
const WORST_NEEDS = needsOf({ desk: WORST, failed: 3, series: BAD, isAway: true })

test('has an item for each alert of the example, as urgent as that, and none for another', () => {
  const inExample = new Map(ALERTS.map((alert) => [nameOf(alert), alert.includes('severity: critical')]))
  const shown = new Map(WORST_NEEDS.flatMap(({ alert, isCritical }) => (alert ? [[alert, isCritical]] : [])))
  expect(Object.fromEntries([...shown].sort())).toEqual(Object.fromEntries([...inExample].sort()))
})

test('each says what to do, and where', () => {
  for (const { advice, path, screen } of WORST_NEEDS) {
    expect(advice).toMatch(/^[A-Z].*\.$/)
    expect(NAVIGATION_PATHS.get(screen)).toBe(path.split('?')[0])
  }
})

const NAVIGATION_PATHS = new Map<string, string>([
  ['Line', 'line'],
  ['Tickets', 'tickets'],
  ['Dead letters', 'dead'],
  ['Access', 'access'],
])

test('begins where the alert of the example does', () => {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const alert = ALERTS.find((one) => nameOf(one) === name) ?? ''
    const [, expression = ''] = /expr: ([\s\S]*?)\n {8}(?:for|labels)/.exec(alert) ?? []
    expect([name, ...[...expression.matchAll(/> ([\d.]+)/g)].map(([, number]) => Number(number))]).toContain(
      limit,
    )
  }
  const [, codes = ''] = /code=~"([^"]+)"/.exec(ALERTS.join()) ?? []
  const inExample = new RegExp(`^(?:${codes})$`)
  for (const code of FAILURE_CODES) expect([code, isServersFault(code)]).toEqual([code, inExample.test(code)])
})
