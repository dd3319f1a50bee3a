import type { AttemptRecord, DeskReport, Outcome } from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { type CountedMinute, createSqliteStore, StoreUnavailable } from '@ai-ticket/tickets'
import { expect, test } from 'vitest'
import { createSeries, type SeriesOptions } from './series.ts'

/** A full hour. */
const START = Date.UTC(2026, 2, 1, 14)
const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000]

const CALL: AttemptRecord = {
  ...{ backend: 'big', endpoint: 'chat', number: 1, started_at: '2026-03-01T14:00:00.000Z' },
  ...{ duration_ms: 4_000, waited_ms: 0, result: 'completed' },
}

const answered = (durationMs: number, tokens?: readonly [number, number]): Outcome => ({
  ...{ completion: 'Yes.', id: 'evt_1', model: null, backend: 'big', endpoint: 'chat', attempts: [CALL] },
  ...{ finish_reason: 'stop', duration_ms: durationMs },
  usage: tokens === undefined ? null : { prompt_tokens: tokens[0], completion_tokens: tokens[1] },
})
const failedAs = (error: 'api_timeout' | 'cancelled' | 'internal_error'): Outcome => ({
  ...{ error, details: '', id: 'evt_1', duration_ms: 9_000, attempts: [] },
})

const waited = (waitedMs: number) => ({ waitedMs, overtakenMs: 0 })

/** A desk whose slots and line a test sets. */
function openDesk(options: Partial<SeriesOptions> & { readonly startAt?: number } = {}) {
  const clock = createVirtualClock({ startAt: options.startAt ?? START })
  const series = createSeries({ worker: 'w1', clock, random: () => 0.5, ...options })
  const seen = { taken: { big: 0, small: 0 } as Record<string, number>, waiting: 0 }
  const report = (): DeskReport => ({
    backends: Object.entries(seen.taken).map(([name, in_flight]) => ({
      ...{ name, state: 'ready', models: [], concurrency: 2, in_flight },
      ...{ breaker: 'closed', repeats_left: 10 },
    })),
    line: { waiting: seen.waiting, capacity: 10 },
  })
  const desk = { report }
  series.begin(desk)
  const { observer } = series
  return {
    clock,
    series,
    seen,
    observer,
    desk,
    answer(count = 1, durationMs = 4_000) {
      for (let number = 0; number < count; number++) {
        observer.eventStarted()
        observer.eventEnded(answered(durationMs), waited(0))
      }
    },
    async read(query: Parameters<typeof series.read>[0] = {}) {
      const body = await series.read(query)
      if (typeof body === 'string') throw new Error(body)
      return body
    },
    [Symbol.asyncDispose]: () => series.close(),
  }
}

test('counts each event in the step in which it came and in the one in which it ended', async () => {
  await using at = openDesk()
  for (let number = 0; number < 3; number++) at.observer.eventStarted()
  await at.clock.advance(25 * SECOND)
  at.observer.eventEnded(answered(20_000, [30, 12]), waited(5_000))
  at.observer.eventEnded(failedAs('api_timeout'), waited(100))
  at.observer.eventEnded(failedAs('cancelled'), waited(0))
  const body = await at.read({ from: START })
  expect(body).toMatchObject({
    object: 'series',
    from: '2026-03-01T14:00:00.000Z',
    to: '2026-03-01T14:00:30.000Z',
    step_s: 10,
    t: ['2026-03-01T14:00:00.000Z', '2026-03-01T14:00:10.000Z', '2026-03-01T14:00:20.000Z'],
    started: [3, 0, 0],
    completed: [0, 0, 1],
    failed: [0, 0, 1],
    cancelled: [0, 0, 1],
    errors: { api_timeout: [0, 0, 1] },
    backends: { big: { tokens_in: [0, 0, 30], tokens_out: [0, 0, 12] }, small: { tokens_in: [0, 0, 0] } },
    total: { started: 3, completed: 1, failed: 1, cancelled: 1, errors: { api_timeout: 1 } },
  })
  expect(body.wait_p95.slice(0, 2)).toEqual([null, null])
  expect(body.wait_p95[2]).toBeGreaterThan(4_750)
  expect(body.wait_p95[2]).toBeLessThan(5_250)
  // A failure says nothing about how long an answer takes.
  expect(body.duration_p95[2]).toBe(body.duration_p50[2])
  expect(body.duration_p95[2]).toBeGreaterThan(19_000)
  expect(body.duration_p95[2]).toBeLessThan(21_000)
})

test('tells what backends worked for nobody by reason, as the metrics do', async () => {
  await using at = openDesk()
  at.observer.attemptEnded({ ...CALL, result: 'cancelled', duration_ms: 700 })
  at.observer.attemptEnded({ ...CALL, result: 'api_timeout', duration_ms: 60 })
  at.observer.attemptEnded({ ...CALL, result: 'api_connection_error', stopped: 'not_sent' })
  at.observer.attemptEnded(CALL)
  at.observer.abandonedCallStopped({ backend: 'big', afterMs: 25 })
  await at.clock.advance(SECOND)
  expect((await at.read()).total.backends).toMatchObject({
    big: { abandoned_ms: 700, failed_ms: 60, stopping_ms: 25 },
    small: { abandoned_ms: 0, failed_ms: 0, stopping_ms: 0 },
  })
})

test('looks at slots and line once a second while anything is in hand, and not at all when nothing is', async () => {
  await using at = openDesk()
  await at.clock.advance(10 * SECOND)
  const timers = at.clock.pending
  at.observer.eventStarted()
  Object.assign(at.seen, { taken: { big: 2, small: 0 }, waiting: 3 })
  await at.clock.advance(4 * SECOND)
  at.seen.waiting = 1
  await at.clock.advance(SECOND)
  // The event is over, and its backend has not stopped yet.
  at.observer.eventEnded(failedAs('cancelled'), waited(0))
  at.seen.taken = { big: 1, small: 0 }
  await at.clock.advance(2 * SECOND)
  at.seen.taken = { big: 0, small: 0 }
  await at.clock.advance(3 * SECOND)
  expect(at.clock.pending).toBe(timers)
  const { line_max, backends } = await at.read({ from: START })
  expect(line_max).toEqual([0, 3])
  // Five seconds with two slots and two with one, of ten.
  expect(backends).toMatchObject({ big: { busy: [0, 1.2] }, small: { busy: [0, 0] } })
})

test('a look is not bound to when events come: short ones by a timetable count for what they take', async () => {
  let drawn = 0
  // Every place of a second is drawn equally often.
  const random = () => (drawn++ % 100) / 100
  await using at = openDesk({ random })
  for (let second = 0; second < 600; second++) {
    at.observer.eventStarted()
    at.seen.taken = { big: 1, small: 0 }
    await at.clock.advance(250)
    at.seen.taken = { big: 0, small: 0 }
    at.observer.eventEnded(answered(250), waited(0))
    await at.clock.advance(750)
  }
  expect((await at.read()).total.backends.big?.busy).toBeCloseTo(0.25, 1)
})

test('tells how late the timer of the server was', async () => {
  const clock = createVirtualClock({ startAt: START })
  let lateMs = 0
  const late = { ...clock, now: () => clock.now() + lateMs }
  await using at = openDesk({ clock: late })
  at.observer.eventStarted()
  lateMs = 400
  await clock.advance(SECOND)
  const body = await at.series.read({})
  expect(body).toMatchObject({ total: { late_max: 400 } })
})

test('what is longer ago than an hour is forgotten without a store, and so is the time before the start', async () => {
  await using at = openDesk({ startAt: START + 95 * SECOND })
  at.answer()
  await at.clock.advance(2 * MINUTE)
  const fresh = await at.read({ from: START })
  expect(fresh.started.slice(0, 10)).toEqual([...Array(9).fill(null), 1])
  expect(fresh.started.at(-1)).toBe(0)
  await at.clock.advance(HOUR)
  at.answer(2)
  const body = await at.read({ stepMs: MINUTE })
  expect(body).toMatchObject({ step_s: 60, total: { started: 2 } })
  expect(body.t).toHaveLength(360)
  expect(body.started.slice(-62, -60)).toEqual([null, 0])
  expect(at.series).toBeDefined()
})

test('every minute is a row of the store, and a restart finds them again', async () => {
  const store = createSqliteStore({ directory: ':memory:' })
  const at = openDesk({ store })
  at.answer(3)
  await at.clock.advance(10 * MINUTE)
  at.answer(5, 90_000)
  await at.series.close()
  await at.series.close()
  const rows = await store.listMinutes({ worker: 'w1', from: 0, before: START + HOUR })
  expect(rows.map(({ at: time }) => time - START)).toEqual(
    Array.from({ length: 11 }, (_, number) => number * MINUTE).slice(0, rows.length),
  )
  // A quiet minute takes next to no room.
  expect(rows[1]?.counts).toBe('{"aliveMs":60000}')

  // It is back within the same minute, under the same name; another one does not see it.
  const back = openDesk({ store, startAt: START + 10 * MINUTE + 20 * SECOND })
  back.answer(7)
  await back.clock.advance(5 * SECOND)
  const body = await back.read()
  // Ten-second steps would hide what only the store knows.
  expect(body).toMatchObject({ step_s: 60, total: { started: 15, completed: 15 } })
  expect(body.started.slice(-11)).toEqual([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12])
  expect(body.total.duration_p95).toBeGreaterThan(85_000)
  const own = await back.read({ from: START, stepMs: 10_000 })
  expect(own.total.started).toBe(7)
  await back.series.close()
  await using other = openDesk({ store, worker: 'w2', startAt: START + 11 * MINUTE })
  await other.clock.advance(SECOND)
  expect((await other.read({ stepMs: MINUTE })).total.started).toBe(0)
  await store.close()
})

test('an hour and its minutes come to the same', async () => {
  await using store = createSqliteStore({ directory: ':memory:' })
  await using at = openDesk({ store })
  for (let minute = 0; minute < 90; minute++) {
    at.answer((minute % 7) + 1, 1_000 * (minute + 1))
    if (minute % 9 === 0) at.observer.eventStarted()
    if (minute % 9 === 0) at.observer.eventEnded(failedAs('internal_error'), waited(10))
    await at.clock.advance(MINUTE)
  }
  const fine = await at.read({ from: START, stepMs: MINUTE })
  const coarse = await at.read({ from: START, stepMs: 30 * MINUTE })
  expect(fine.total).toEqual(coarse.total)
  const sum = (list: readonly (number | null)[]) => list.reduce<number>((all, one) => all + (one ?? 0), 0)
  expect(sum(fine.started)).toBe(sum(coarse.started))
  expect(coarse.started).toHaveLength(3)
  expect(fine.total.errors).toEqual({ internal_error: 10 })
})

test('a machine that slept leaves a gap, and a clock that is set back loses nothing since', async () => {
  const clock = createVirtualClock({ startAt: START })
  let shiftMs = 0
  await using at = openDesk({ clock: { ...clock, wallTime: () => clock.wallTime() + shiftMs } })
  at.answer()
  await clock.advance(30 * SECOND)
  shiftMs = 20 * MINUTE
  await clock.advance(MINUTE)
  at.answer()
  const body = await at.series.read({ from: START, stepMs: MINUTE })
  expect(body).toMatchObject({ started: [1, ...Array(20).fill(null), 1] })
  shiftMs = 0
  at.answer(4)
  await clock.advance(5 * SECOND)
  expect(await at.series.read({ from: START, stepMs: MINUTE })).toMatchObject({ total: { started: 5 } })
})

test('what the store does not take is stored when it is back; its part is a gap as long as it is away', async () => {
  const kept: CountedMinute[] = []
  let isAway = true
  const away = new StoreUnavailable('unreachable', 'Away.')
  const store: SeriesOptions['store'] = {
    async saveMinutes(minutes) {
      if (isAway) throw away
      kept.push(...minutes)
    },
    async listMinutes({ from, before }) {
      if (isAway) throw away
      return kept.filter(({ at: time }) => time >= from && time < before)
    },
  }
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, warn: (text: string) => void warnings.push(text), error() {} }
  await using at = openDesk({ store, logger })
  at.answer()
  await at.clock.advance(3 * MINUTE)
  expect(await at.read({ stepMs: MINUTE })).toMatchObject({ total: { started: 1 } })
  expect(warnings).toEqual(['What was counted could not be stored; it is tried again each minute.'])
  isAway = false
  await at.clock.advance(MINUTE)
  expect(kept.map(({ at: time }) => time - START)).toEqual([0, MINUTE, 2 * MINUTE, 3 * MINUTE])
  expect(await at.read({ stepMs: MINUTE })).toMatchObject({ total: { started: 1 } })
})

test('says what is wrong with a question', async () => {
  await using at = openDesk()
  expect(await at.series.read({ from: START, to: START })).toMatch(/`from` must be before `to`/)
  for (const stepMs of [0, 5_000, 15_000, 25_000, 90_000, -60_000, Number.NaN, 60_500])
    expect(await at.series.read({ stepMs })).toMatch(/^`step` must be 10, 20, 30 or a multiple of 60/)
  expect(await at.series.read({ from: START - 25 * HOUR - MINUTE, stepMs: MINUTE })).toMatch(/1500 steps/)
  const year = await at.read({ from: START - 365 * 24 * HOUR })
  expect([year.step_s, year.t.length]).toEqual([2 * 86_400, 183])
})
