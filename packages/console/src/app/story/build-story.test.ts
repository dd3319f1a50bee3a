import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bar, buildStory, type Told } from './build-story.ts'

const START = Date.parse('2026-03-01T14:00:00.000Z')
const at = (ms: number): string => new Date(START + ms).toISOString()

const call = (startMs: number, durationMs: number, more: object = {}): Told['attempts'][number] => ({
  backend: 'big',
  endpoint: 'chat',
  number: 1,
  started_at: at(startMs),
  duration_ms: durationMs,
  waited_ms: 0,
  result: 'completed',
  ...more,
})

const told = (more: Partial<Told> = {}): Told => ({
  kind: 'ticket',
  status: 'completed',
  created_at: at(0),
  started_at: at(800),
  finished_at: at(20_000),
  attempts: [],
  ...more,
})

const shape = (bars: readonly Bar[]): string[] =>
  bars.map(({ kind, from, to, call: piece }) => `${kind}${piece ? ` ${piece.backend}` : ''} ${from}-${to}`)

test('a retry and a fallback', () => {
  const story = buildStory(
    told({
      finished_at: at(31_100),
      attempts: [
        call(7_900, 12_900, { result: 'api_timeout', stopped: 'idle' }),
        call(22_000, 9_100, { backend: 'small', waited_ms: 1_200 }),
      ],
    }),
    START,
  )
  expect(shape(story.bars)).toEqual([
    'queue 0-800',
    'line 800-7900',
    'call big 7900-20800',
    'pause 20800-22000',
    'call small 22000-31100',
  ])
  expect(story).toMatchObject({ calls: 2, wastedMs: 12_900, durationMs: 31_100, isLive: false })
})

test('a wait in line again before a second call', () => {
  const attempts = [
    call(1_000, 1_000, { result: 'api_connection_error' }),
    call(9_000, 1_000, { waited_ms: 500 }),
  ]
  const { bars } = buildStory(told({ finished_at: at(10_000), attempts }), START)
  expect(shape(bars).slice(2)).toEqual([
    'call big 1000-2000',
    'line 2000-8500',
    'pause 8500-9000',
    'call big 9000-10000',
  ])
})

test('a crash: the second run waits on disk first', () => {
  const story = buildStory(
    told({
      finished_at: at(9_000),
      attempts: [call(900, 1_100, { result: 'cancelled' }), call(6_000, 3_000)],
      run_log: [
        { run: 1, claimed_at: at(800), ended_at: at(2_000) },
        { run: 2, claimed_at: at(5_000), ended_at: at(9_000) },
      ],
    }),
    START,
  )
  expect(shape(story.bars)).toEqual([
    'queue 0-800',
    'line 800-900',
    'call big 900-2000',
    'queue 2000-5000',
    'line 5000-6000',
    'call big 6000-9000',
  ])
})

test('cancelled while it waited, and expired', () => {
  const waited = buildStory(told({ status: 'cancelled', started_at: null, finished_at: at(5_000) }), START)
  expect(shape(waited.bars)).toEqual(['queue 0-5000'])
  const inLine = buildStory(told({ status: 'failed', finished_at: at(5_000) }), START)
  expect(shape(inLine.bars)).toEqual(['queue 0-800', 'line 800-5000'])
})

test('the backend takes time to stop', () => {
  const attempts = [call(1_000, 2_000, { result: 'cancelled', stopped: 'ended' })]
  const { bars } = buildStory(told({ status: 'cancelled', finished_at: at(3_400), attempts }), START)
  expect(shape(bars).at(-1)).toBe('end 3000-3400')
})

test('one that runs grows with the clock', () => {
  const running = told({
    status: 'in_progress',
    finished_at: null,
    attempts: [call(1_000, 1_000, { result: 'api_server_error' })],
    call: { backend: 'small', endpoint: 'chat' },
  })
  const story = buildStory(running, START + 4_000)
  expect(shape(story.bars).at(-1)).toBe('call small 2000-4000')
  expect(story).toMatchObject({ isLive: true, calls: 2, durationMs: 4_000 })
  expect(story.bars.at(-1)?.call?.result).toBeUndefined()
})

test('an event answered at once was never on disk', () => {
  const { bars } = buildStory(
    told({ kind: 'event', started_at: at(0), finished_at: at(3_000), attempts: [call(500, 2_500)] }),
    START,
  )
  expect(shape(bars)).toEqual(['line 0-500', 'call big 500-3000'])
})

test('phases: told by the stream, by the backend, or by nobody', () => {
  const phases = (more: object) =>
    buildStory(told({ finished_at: at(9_000), attempts: [call(1_000, 8_000, more)] }), START).bars.at(-1)
      ?.call
  expect(phases({ first_token_ms: 3_000 })).toMatchObject({ readingMs: 3_000, estimated: false })
  expect(phases({ prompt_ms: 2_000, phases: 'learned' })).toMatchObject({ readingMs: 2_000, estimated: true })
  expect(phases({})?.readingMs).toBeUndefined()
})

const lives = fc
  .record({
    kind: fc.constantFrom('ticket' as const, 'event' as const),
    status: fc.constantFrom(...(['queued', 'in_progress', 'completed', 'failed', 'cancelled'] as const)),
    started: fc.option(fc.integer({ min: -2_000, max: 60_000 })),
    duration: fc.integer({ min: 0, max: 120_000 }),
    calls: fc.array(
      fc.record({
        start: fc.integer({ min: -5_000, max: 130_000 }),
        duration: fc.integer({ min: 0, max: 40_000 }),
        waited: fc.integer({ min: 0, max: 5_000 }),
        result: fc.constantFrom('completed', 'api_timeout', 'cancelled'),
        first: fc.option(fc.integer({ min: 0, max: 50_000 }), { nil: undefined }),
      }),
      { maxLength: 8 },
    ),
    runs: fc.array(fc.integer({ min: -1_000, max: 120_000 }), { maxLength: 4 }),
    runsNow: fc.boolean(),
  })
  .map(({ kind, status, started, duration, calls, runs, runsNow }) => {
    const isLive = status === 'queued' || status === 'in_progress'
    const life = told({
      kind,
      status,
      started_at: started === null ? null : at(started),
      finished_at: isLive ? null : at(duration),
      attempts: calls.map(({ start, duration: length, waited, result, first }) =>
        call(start, length, {
          waited_ms: waited,
          result,
          ...(first !== undefined && { first_token_ms: first }),
        }),
      ),
      run_log: runs
        .toSorted((a, b) => a - b)
        .map((claimed, run) => ({ run: run + 1, claimed_at: at(claimed) })),
      ...(runsNow && status === 'in_progress' && { call: { backend: 'big', endpoint: 'chat' } }),
    })
    return { life, duration }
  })

test('whatever the clocks say, bars follow each other without gap or overlap and are the whole duration', () => {
  fc.assert(
    fc.property(lives, ({ life, duration }) => {
      const { bars, durationMs } = buildStory(life, START + duration)
      let reached = 0
      for (const { from, to, call: piece } of bars) {
        expect(from).toBe(reached)
        expect(to).toBeGreaterThan(from)
        reached = to
        if (piece?.readingMs !== undefined) expect(piece.readingMs).toBeGreaterThanOrEqual(0)
      }
      expect(reached).toBe(durationMs)
      expect(durationMs).toBe(duration)
    }),
    { numRuns: 2_000 },
  )
})
