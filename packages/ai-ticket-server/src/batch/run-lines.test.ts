import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FailureOutcome, Outcome } from '@ai-ticket/core'
import { createVirtualClock, type VirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import type { Answer } from './ask-here.ts'
import type { Outage } from './pacing.ts'
import { type BatchOptions, runBatch } from './run-lines.ts'

const ATTEMPT = {
  backend: 'kobold',
  endpoint: 'chat',
  number: 1,
  started_at: '',
  duration_ms: 1,
  waited_ms: 0,
}
const failure = (error: FailureOutcome['error']): FailureOutcome => ({
  error,
  details: `${error}.`,
  id: 'evt_1',
  duration_ms: 1,
  attempts: [{ ...ATTEMPT, result: error }],
})
const ANSWERED: Answer = {
  type: 'final',
  outcome: { completion: 'x', id: 'evt_1', attempts: [] } as unknown as Outcome,
}
const AWAY: Answer = { type: 'again', outcome: failure('api_connection_error'), isAway: true }
const TROUBLE: Answer = { type: 'again', outcome: failure('api_server_error'), isAway: false }

interface Played {
  readonly asked: number[]
  readonly written: [line: number, error: string | undefined][]
  readonly outages: (Outage | undefined)[]
  readonly clock: VirtualClock
}

/** Plays a batch of lines 1 to `lines` until it ends; every answer takes a second. */
async function play(
  lines: number,
  answer: (line: number, now: number) => Answer,
  options: Partial<BatchOptions<number>> = {},
) {
  const clock = createVirtualClock()
  const played: Played = { asked: [], written: [], outages: [], clock }
  let given = 0
  let isOver = false
  const batch = runBatch<number>({
    next: async () => (given < lines ? ++given : undefined),
    ask: async (line) => {
      played.asked.push(line)
      await new Promise<void>((resolve) => clock.setTimer(resolve, 1_000))
      return answer(line, clock.now())
    },
    write: async (line, outcome) => {
      played.written.push([line, outcome.error])
    },
    concurrency: 2,
    patienceMs: 3_600_000,
    signal: new AbortController().signal,
    clock,
    onOutage: (outage) => played.outages.push(outage),
    ...options,
  }).finally(() => {
    isOver = true
  })
  // It is looked at in the end.
  batch.catch(() => {})
  while (!isOver) {
    await clock.advance(500)
    await nextTurn()
  }
  return { ...played, end: await batch }
}

test('keeps every slot busy from the first line to the last', async () => {
  const { end, written, clock } = await play(400, () => ANSWERED)
  expect(end).toEqual({ type: 'done' })
  expect(written.map(([line]) => line).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 400 }, (_, n) => n + 1),
  )
  // 400 lines of a second each on two slots: 200 s is all of both of them.
  expect(200_000 / clock.now()).toBeGreaterThan(0.98)
})

test('a server that is away for half an hour costs time, no failures, and one call at a time', async () => {
  const back = 1_800_000
  const { end, written, asked, outages } = await play(50, (_line, now) => (now < back ? AWAY : ANSWERED))
  expect(end).toEqual({ type: 'done' })
  expect(written).toHaveLength(50)
  expect(written.filter(([, error]) => error)).toEqual([])
  // The first two, 1 + 2 + 4 + … s, then one a minute.
  expect(asked.length - 50).toBeLessThan(45)
  expect(outages.at(-1)).toBeUndefined()
})

test('patience has an end: the batch stops, and no line has failed', async () => {
  const { end, written, clock } = await play(1_000, () => AWAY, { patienceMs: 600_000 })
  expect(end).toEqual({ type: 'out_of_patience', details: 'api_connection_error.' })
  expect(written).toEqual([])
  expect(clock.now()).toBeLessThan(700_000)
})

test.each([1, 2])(
  'a bad line fails after four tries, and holds up nobody on %i slots',
  async (concurrency) => {
    const { end, asked, written, clock } = await play(100, (line) => (line === 3 ? TROUBLE : ANSWERED), {
      concurrency,
    })
    expect(end).toEqual({ type: 'done' })
    expect(asked.filter((line) => line === 3)).toHaveLength(4)
    expect(written.filter(([, error]) => error)).toEqual([[3, 'api_server_error']])
    expect(written).toHaveLength(100)
    // 103 calls of a second each, and nothing but them.
    expect(clock.now()).toBeLessThanOrEqual(Math.ceil(103 / concurrency) * 1_000 + 1_000)
  },
)

test('bad lines at the end fail, too, with nobody left to be answered', async () => {
  const { end, written } = await play(3, () => TROUBLE)
  expect(end).toEqual({ type: 'done' })
  expect(written).toHaveLength(3)
})

test('a line that kills the server each time fails in the end, the others are answered', async () => {
  const { end, written } = await play(20, (line) => (line === 1 ? AWAY : ANSWERED))
  expect(end).toEqual({ type: 'done' })
  expect(written.filter(([, error]) => error)).toEqual([[1, 'api_connection_error']])
})

test('five lines in trouble with no answer in between are an outage', async () => {
  const back = 600_000
  const { written } = await play(300, (_line, now) => (now < back ? TROUBLE : ANSWERED))
  expect(written.filter(([, error]) => error)).toEqual([])
})

test('stops at the wanted number of failures, and where no line will be answered', async () => {
  const refused: Answer = { type: 'final', outcome: failure('output_schema_mismatch') }
  const many = await play(100, () => refused, { maxFailures: 10 })
  expect(many.end).toEqual({ type: 'too_many_failures' })
  expect(many.written.length).toBeLessThan(13)
  const hopeless: Answer = { type: 'hopeless', details: 'wrong key', reason: 'no_permission' }
  const none = await play(100, () => hopeless)
  expect(none).toMatchObject({ end: hopeless, written: [] })
})

test('interrupted: takes no more, finishes what is in hand, also while it waits for a server', async () => {
  const stopping = new AbortController()
  const running = await play(
    100,
    (line) => {
      if (line === 5) stopping.abort()
      return ANSWERED
    },
    { signal: stopping.signal },
  )
  expect(running.end).toEqual({ type: 'interrupted' })
  expect(running.written.length).toBe(running.asked.length)
  expect(running.asked.length).toBeLessThan(8)
  const waiting = new AbortController()
  const outage = await play(100, () => AWAY, {
    signal: waiting.signal,
    onOutage: (now) => now && now.delayMs > 20_000 && waiting.abort(),
  })
  expect(outage).toMatchObject({ end: { type: 'interrupted' }, written: [] })
})

test('a result that cannot be written ends the batch with that error', async () => {
  const write = async () => {
    throw new Error('no room')
  }
  await expect(play(10, () => ANSWERED, { write })).rejects.toThrow('no room')
})
