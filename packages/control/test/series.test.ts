import type { Observer } from '@ai-ticket/core'
import { createMetrics } from '@ai-ticket/http-server'
import { createVirtualClock } from '@ai-ticket/testkit'
import { createSqliteStore } from '@ai-ticket/tickets'
import { describe, expect, test } from 'vitest'
import { EMPTY_STORES } from '../../tickets/test/open-pglite-store.ts'
import { createSeries, type SeriesBody } from '../src/index.ts'
import { openControl } from './open-control.ts'

const apiKeys = [
  { key: 'e', name: 'sender', scopes: ['events'] },
  { key: 'r', name: 'viewer', scopes: ['read'] },
  { key: 'a', name: 'boss', scopes: ['admin'] },
] as const
const HOUR_MS = 3_600_000

test('shows what was counted to readers alone, and names the worker', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const series = createSeries({ worker: 'w', store })
  await using desk = await openControl({
    store,
    server: { apiKeys },
    tuning: { observer: series.observer },
    control: { series },
  })
  const before = Date.now()
  await desk.ask('POST', '/event', { key: 'e', body: { content: 'Why?' } })
  await desk.ask('POST', '/event', { key: 'e', body: {} })
  expect((await desk.ask('GET', '/series', { key: 'e' })).status).toBe(403)
  const { status, headers, body } = await desk.ask('GET', '/series', { key: 'r' })
  expect(status).toBe(200)
  expect(headers['cache-control']).toBe('no-store')
  expect(body).toMatchObject({
    object: 'series',
    worker: 'desk-1',
    step_s: 10,
    errors: { missing_content_field: expect.any(Array) },
    backends: { b1: { busy: expect.any(Array) } },
    total: { started: 2, completed: 1, failed: 1, cancelled: 0, errors: { missing_content_field: 1 } },
  })
  const { t, from, to, backends, total: _total, errors, ...lists }: SeriesBody = body
  expect([t[0], t.length]).toEqual([from, 360])
  expect(Date.parse(to)).toBeGreaterThanOrEqual(before)
  const all = [...Object.values(lists), ...Object.values(errors), ...Object.values(backends.b1 ?? {})]
  for (const list of all) if (Array.isArray(list)) expect(list).toHaveLength(t.length)
  // Before it began nothing is known.
  expect(body.started.slice(0, 300)).toEqual(Array(300).fill(null))

  const range = `from=${new Date(before - HOUR_MS).toISOString()}&to=${new Date(before + HOUR_MS).toISOString()}`
  const wide = await desk.ask('GET', `/series?${range}&step=600`, { key: 'a' })
  expect(wide.body).toMatchObject({ step_s: 600, total: { started: 2 } })
})

test('refuses what it does not understand, and is not there without a series', async () => {
  await using desk = await openControl({ control: { series: createSeries({ worker: 'w' }) } })
  for (const query of ['step=7', 'step=', 'step=60&step=120', 'from=today', 'to=1', 'hours=6'])
    expect(await desk.ask('GET', `/series?${query}`)).toMatchObject({
      status: 400,
      body: { error: 'invalid_input_format' },
    })
  await using without = await openControl()
  expect((await without.ask('GET', '/series')).status).toBe(404)
})

test('agrees with /metrics about every event and all that was wasted', async () => {
  const metrics = await createMetrics()
  const series = createSeries({ worker: 'w' })
  const observer = bothOf(metrics.observer, series.observer)
  await using desk = await openControl({
    simulated: {
      tokensPerSecond: 200,
      answer: ({ text }) => (text.includes('long') ? 'one '.repeat(4_000) : 'Yes.'),
    },
    tuning: { observer, repairs: 0 },
    server: { metrics },
    control: { series },
  })
  const post = (body: object) => desk.ask('POST', '/event', { body })
  await Promise.all([post({ content: 'One' }), post({ content: 'Two' }), post({})])
  await post({
    content: 'Three',
    schema: { type: 'object', properties: { n: { const: 1 } }, required: ['n'] },
  })
  await post({ content: 'A long one', timeout_ms: 2_000, parameters: { max_tokens: 4_000 } })
  const gone = desk.send('POST', '/event', {
    body: { id: 'evt_gone', content: 'A long one', parameters: { max_tokens: 4_000 } },
  })
  gone.on('error', () => {})
  const running = () => desk.dispatcher.line().running.find(({ event_id }) => event_id === 'evt_gone')
  await expect.poll(() => running()?.endpoint).toBeTruthy()
  gone.destroy()
  await expect.poll(() => desk.dispatcher.report().backends[0]?.in_flight).toBe(0)
  const text = await metrics.render(desk.dispatcher.report())
  const sumOf = (pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0)
  const { total }: SeriesBody = (await desk.ask('GET', '/series')).body
  expect(total).toMatchObject({ started: 6, completed: 2, cancelled: 1, failed: 3 })
  for (const [outcome, count] of Object.entries({ completed: 2, cancelled: 1, failed: 3 }))
    expect(sumOf(new RegExp(`^ai_ticket_events_total\\{outcome="${outcome}"[^}]*\\} (\\d+)$`, 'gm'))).toBe(
      count,
    )
  for (const [code, count] of Object.entries(total.errors))
    expect(sumOf(new RegExp(`^ai_ticket_events_total\\{[^}]*code="${code}"[^}]*\\} (\\d+)$`, 'gm'))).toBe(
      count,
    )
  for (const reason of ['abandoned', 'stopping', 'failed'] as const) {
    const seconds = sumOf(
      new RegExp(
        `^ai_ticket_wasted_generation_seconds_total\\{[^}]*reason="${reason}"[^}]*\\} ([\\d.]+)$`,
        'gm',
      ),
    )
    expect(Math.abs(1_000 * seconds - (total.backends.b1?.[`${reason}_ms`] ?? -1))).toBeLessThanOrEqual(1)
  }
  expect(total.backends.b1?.abandoned_ms).toBeGreaterThan(900)
})

/** A dispatcher has one observer. */
const bothOf = (one: Observer, other: Observer): Observer => ({
  eventStarted() {
    one.eventStarted?.()
    other.eventStarted?.()
  },
  attemptEnded(attempt) {
    one.attemptEnded?.(attempt)
    other.attemptEnded?.(attempt)
  },
  abandonedCallStopped(call) {
    one.abandonedCallStopped?.(call)
    other.abandonedCallStopped?.(call)
  },
  eventEnded(outcome, timing) {
    one.eventEnded?.(outcome, timing)
    other.eventEnded?.(outcome, timing)
  },
})

describe.each(EMPTY_STORES)('with minutes in %s', { timeout: 120_000 }, (_name, open) => {
  test('servers on one store count for themselves, and a week is there after a restart', async () => {
    await using store = await open()
    const startAt = Date.UTC(2026, 2, 1)
    const idle = { report: () => ({ backends: [], line: { waiting: 0, capacity: 1 } }) }
    const clock = createVirtualClock({ startAt })
    const begin = (worker: string) => {
      const series = createSeries({ worker, store, clock })
      series.begin(idle)
      return series
    }
    const [first, second] = [begin('w1'), begin('w2')]
    for (let minute = 0; minute < 12; minute++) {
      first.observer.eventStarted()
      await clock.advance(60_000)
    }
    second.observer.eventStarted()
    await Promise.all([first.close(), second.close()])
    await clock.advance(1_000)
    const back = begin('w1')
    const week = await back.read({ stepMs: 28 * 60_000 })
    expect(week).toMatchObject({ step_s: 1_680, total: { started: 12 } })
    const other = begin('w2')
    expect(await other.read({ stepMs: 28 * 60_000 })).toMatchObject({ total: { started: 1 } })
    await Promise.all([back.close(), other.close()])
  })
})
