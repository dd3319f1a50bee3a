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

test('a crash: the second run waits on disk first, and a run without a call was in line', () => {
  const story = buildStory(
    told({
      finished_at: at(12_000),
      attempts: [call(900, 1_100, { result: 'cancelled', run: 1 }), call(9_000, 3_000, { run: 3 })],
      run_log: [
        { run: 1, claimed_at: at(800), ended_at: at(2_300) },
        { run: 2, claimed_at: at(5_000), ended_at: at(6_000) },
        { run: 3, claimed_at: at(8_000), ended_at: at(12_000) },
      ],
    }),
    START,
  )
  expect(shape(story.bars)).toEqual([
    'queue 0-800',
    'line 800-900',
    'call big 900-2000',
    'end 2000-2300',
    'queue 2300-5000',
    'line 5000-6000',
    'queue 6000-8000',
    'line 8000-9000',
    'call big 9000-12000',
  ])
})

test('a call belongs to the run that it names, though the clock of its worker is slow', () => {
  const { bars } = buildStory(
    told({
      finished_at: at(9_000),
      attempts: [call(4_900, 3_000, { run: 2 })],
      run_log: [
        { run: 1, claimed_at: at(800), ended_at: at(2_000) },
        { run: 2, claimed_at: at(5_000), ended_at: at(9_000) },
      ],
    }),
    START,
  )
  expect(shape(bars)).toEqual([
    'queue 0-800',
    'line 800-2000',
    'queue 2000-5000',
    'call big 5000-7900',
    'end 7900-9000',
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
    call: { backend: 'small', endpoint: 'chat', started_at: at(2_500) },
  })
  const story = buildStory(running, START + 4_000)
  expect(shape(story.bars).slice(-2)).toEqual(['line 2000-2500', 'call small 2500-4000'])
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

test('phases: told by the backend, by the stream, likely, or by nobody', () => {
  const phases = (more: object) =>
    buildStory(told({ finished_at: at(9_000), attempts: [call(1_000, 8_000, more)] }), START).bars.at(-1)
      ?.call?.phases
  const none = { otherMs: 0, stoppingMs: 0, isEstimate: false }
  expect(phases({ prompt_ms: 2_000, completion_ms: 5_500, phases: 'backend' })).toEqual({
    ...none,
    otherMs: 500,
    readingMs: 2_000,
    writingMs: 5_500,
  })
  expect(phases({ prompt_ms: 3_000, completion_ms: 4_900, phases: 'stream', stopped_after_ms: 100 })).toEqual(
    {
      ...none,
      readingMs: 3_000,
      writingMs: 4_900,
      stoppingMs: 100,
    },
  )
  const likely = phases({ prompt_ms: 2_000, completion_ms: 6_000, phases: 'learned' })
  expect(likely).toEqual({ ...none, readingMs: 2_000, writingMs: 6_000, isEstimate: true })
  // What an earlier release kept of a stream.
  expect(phases({ first_token_ms: 3_000 })).toEqual({ ...none, readingMs: 3_000, writingMs: 5_000 })
  expect(phases({})).toBeUndefined()
})

/** Either not there at all, or long enough to be seen. */
const span = fc.oneof(fc.constant(0), fc.double({ min: 20, max: 60_000, noNaN: true }))
const work = fc.double({ min: 20, max: 60_000, noNaN: true })

const scriptedCall = fc.record({
  /** Before it: the line, or a pause and the same endpoint again. */
  before: fc.record({ kind: fc.constantFrom('line' as const, 'pause' as const), ms: span }),
  reading: work,
  writing: work,
  stopping: span,
  end: fc.constantFrom('completed', 'api_timeout', 'cancelled reading', 'cancelled writing'),
  knows: fc.constantFrom('stream', 'backend', 'learned', undefined),
})

const scriptedRun = fc.record({
  queue: span,
  line: span,
  calls: fc.array(scriptedCall, { maxLength: 4 }),
  /** What it waits for when its calls are over. */
  after: span,
})

const script = fc.record({
  kind: fc.constantFrom('ticket' as const, 'event' as const),
  runs: fc.array(scriptedRun, { minLength: 1, maxLength: 4 }),
  /** Behind its last run: it ended with it, or waited on disk until it was cancelled, expired, or is looked at. */
  rest: fc.record({
    as: fc.constantFrom('ended' as const, 'cancelled' as const, 'expired' as const, 'queued' as const),
    ms: span,
  }),
  /** The same before any worker took it. */
  isTaken: fc.boolean(),
})

type Script = typeof script extends fc.Arbitrary<infer Value> ? Value : never
type Piece = { kind: Bar['kind']; ms: number; reading?: number }

/** Lives it, on a clock with fractions, and writes down what a server does: whole milliseconds. */
function live({ kind, runs, rest, isTaken }: Script) {
  const pieces: Piece[] = []
  const attempts: Told['attempts'][number][] = []
  const log: NonNullable<Told['run_log']>[number][] = []
  let clock = 0
  const pass = (piece: Piece) => {
    pieces.push(piece)
    clock += piece.ms
  }
  const now = () => at(Math.trunc(clock))
  const lived = kind === 'event' ? runs.slice(0, 1) : isTaken ? runs : []
  for (const [index, { queue, line, calls, after }] of lived.entries()) {
    if (kind === 'ticket') pass({ kind: 'queue', ms: queue })
    const claimed_at = now()
    pass({ kind: 'line', ms: line })
    for (const [place, one] of calls.entries()) {
      const pause = place > 0 && one.before.kind === 'pause' ? one.before.ms : 0
      if (place > 0) pass(one.before)
      const writing = one.end === 'cancelled reading' ? 0 : one.writing
      const ms = one.reading + writing + one.stopping
      attempts.push(attemptOf(one, { started_at: now(), ms, writing, pause, run: index + 1 }))
      pass({ kind: 'call', ms, ...(attempts.at(-1)?.phases && { reading: one.reading }) })
    }
    pass({ kind: calls.length === 0 ? 'line' : 'end', ms: after })
    if (kind === 'ticket') log.push({ run: index + 1, claimed_at, ended_at: now() })
  }
  const isQueued = kind === 'ticket' && (rest.as === 'queued' || lived.length === 0)
  if (kind === 'ticket' && (rest.as !== 'ended' || isQueued)) pass({ kind: 'queue', ms: rest.ms })
  const life = told({
    kind,
    status: isQueued ? 'queued' : rest.as === 'cancelled' ? 'cancelled' : 'failed',
    started_at: kind === 'event' ? at(0) : (log[0]?.claimed_at ?? null),
    finished_at: isQueued ? null : now(),
    attempts,
    ...(log.length > 0 && { run_log: log }),
  })
  return { life, pieces, durationMs: clock, now: START + Math.trunc(clock) }
}

function attemptOf(
  { reading, stopping, end, knows }: Script['runs'][number]['calls'][number],
  lived: {
    readonly started_at: string
    readonly ms: number
    readonly writing: number
    readonly pause: number
    readonly run: number
  },
): Told['attempts'][number] {
  const { started_at, ms, writing, pause, run } = lived
  // Before its first delta a stream tells nothing.
  const isTold = knows !== undefined && !(knows === 'stream' && end === 'cancelled reading')
  return {
    ...call(0, Math.round(ms), { started_at, waited_ms: Math.round(pause), run }),
    result: end === 'completed' || end === 'api_timeout' ? end : 'cancelled',
    ...(stopping > 0 && { stopped: 'idle' as const, stopped_after_ms: Math.round(stopping) }),
    ...(isTold && {
      prompt_ms: Math.round(reading),
      completion_ms: Math.round(writing),
      phases: knows,
    }),
  }
}

/** What is next to its own kind is one piece, and what is too short to be seen is none. */
function asSeen(pieces: readonly Piece[]) {
  const seen: (Piece & { from: number })[] = []
  let from = 0
  for (const piece of pieces) {
    const last = seen.at(-1)
    if (piece.ms >= 10) {
      if (last?.kind === piece.kind && piece.kind !== 'call') last.ms += piece.ms
      else seen.push({ ...piece, from })
    }
    from += piece.ms
  }
  return seen
}

test('the bars of any life are what happened, to 5 ms', () => {
  fc.assert(
    fc.property(script.map(live), ({ life, pieces, durationMs, now }) => {
      const story = buildStory(life, now)
      const expected = asSeen(pieces)
      const shown = asSeen(
        story.bars.map(({ kind, from, to, call: piece }) => ({
          kind,
          ms: to - from,
          ...(piece?.phases && { reading: piece.phases.readingMs }),
        })),
      )
      expect(shown.map(({ kind }) => kind)).toEqual(expected.map(({ kind }) => kind))
      for (const [index, { from, ms, reading }] of expected.entries()) {
        const bar = shown[index]
        expect(Math.abs((bar?.from ?? Number.NaN) - from)).toBeLessThanOrEqual(5)
        expect(Math.abs((bar?.ms ?? Number.NaN) - ms)).toBeLessThanOrEqual(5)
        if (reading === undefined) expect(bar?.reading).toBeUndefined()
        else expect(Math.abs((bar?.reading ?? Number.NaN) - reading)).toBeLessThanOrEqual(5)
      }
      const sum = story.bars.reduce((all, { from, to }) => all + to - from, 0)
      expect(Math.abs(sum - durationMs)).toBeLessThanOrEqual(5)
    }),
    { numRuns: 3_000 },
  )
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
        writing: fc.option(fc.integer({ min: 0, max: 50_000 }), { nil: undefined }),
        stopping: fc.option(fc.integer({ min: 0, max: 50_000 }), { nil: undefined }),
        run: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
      }),
      { maxLength: 8 },
    ),
    runs: fc.array(
      fc.record({
        claimed: fc.integer({ min: -1_000, max: 120_000 }),
        ended: fc.option(fc.integer({ min: -1_000, max: 130_000 }), { nil: undefined }),
      }),
      { maxLength: 4 },
    ),
    runsNow: fc.boolean(),
  })
  .map(({ kind, status, started, duration, calls, runs, runsNow }) => {
    const isLive = status === 'queued' || status === 'in_progress'
    const life = told({
      kind,
      status,
      started_at: started === null ? null : at(started),
      finished_at: isLive ? null : at(duration),
      attempts: calls.map(({ start, duration: length, waited, result, first, writing, stopping, run }) =>
        call(start, length, {
          waited_ms: waited,
          result,
          ...(first !== undefined && { prompt_ms: first }),
          ...(writing !== undefined && { completion_ms: writing }),
          ...(stopping !== undefined && { stopped_after_ms: stopping }),
          ...(run !== undefined && { run }),
        }),
      ),
      run_log: runs.map(({ claimed, ended }, run) => ({
        run: run + 1,
        claimed_at: at(claimed),
        ...(ended !== undefined && { ended_at: at(ended) }),
      })),
      ...(runsNow &&
        status === 'in_progress' && { call: { backend: 'big', endpoint: 'chat', started_at: at(500) } }),
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
        if (piece?.phases) {
          const { isEstimate: _how, ...phases } = piece.phases
          const parts = Object.values(phases)
          for (const part of parts) expect(part).toBeGreaterThanOrEqual(0)
          expect(parts.reduce((sum, part) => sum + part, 0)).toBe(to - from)
        }
      }
      expect(reached).toBe(durationMs)
      expect(durationMs).toBe(duration)
    }),
    { numRuns: 2_000 },
  )
})
