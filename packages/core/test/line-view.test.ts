import {
  type Backend,
  BackendError,
  createDispatcher,
  type Dispatcher,
  type Outcome,
  sleep,
} from '@ai-ticket/core'
import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const READ_MS = 2
const WRITTEN_MS = 20
const START = 1_800_000_000_000

/** Reads a token in 2 ms and writes one in 20 ms, of the clock; how many it writes, the prompt says. */
function timedBackend(clock: ReturnType<typeof createVirtualClock>, name = 'box') {
  let failures = 0
  const backend: Backend = {
    name,
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    async *generate(_endpoint, { turns }, { signal, stream }) {
      if (failures > 0) {
        failures -= 1
        throw new BackendError('interrupted', 'It broke.', { stopped: 'ended' })
      }
      const text = String(turns[0]?.content)
      const [prompt_tokens, completion_tokens] = [Math.ceil(text.length / 4), Number(text.split(' ')[0])]
      await sleep(clock, prompt_tokens * READ_MS, signal)
      for (let token = 0; token < completion_tokens; token++) {
        await sleep(clock, WRITTEN_MS, signal)
        if (stream) yield { type: 'delta', text: 'word' }
      }
      const usage = { prompt_tokens, completion_tokens }
      yield { type: 'end', text: 'word', finish_reason: 'stop', raw_finish_reason: 'stop', usage }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  return {
    backend,
    failOnce: () => {
      failures += 1
    },
  }
}

function openDesk(concurrency = 1) {
  const clock = createVirtualClock({ startAt: START })
  const { backend, failOnce } = timedBackend(clock)
  const dispatcher = createDispatcher({
    backends: [{ backend, concurrency }],
    clock,
    warmPrompts: 0,
  } as never)
  return {
    clock,
    dispatcher,
    failOnce,
    async [Symbol.asyncDispose]() {
      const closed = dispatcher.close()
      await clock.advance(1_000_000)
      await closed
    },
  }
}

async function readAll(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

/** So many tokens to write, and so many to read. */
const asking = (written: number, read = 10) => `${written} `.padEnd(read * 4, 'x')

test('shows who runs, phase by phase, and who waits, in order', async () => {
  await using desk = openDesk()
  const { clock, dispatcher } = desk
  const events = dispatcher.streamEvent(
    { content: asking(50), id: 'first' },
    { reference: 'tkt_1', door: 'event' },
  )
  const first = readAll(events)
  await clock.advance(1)
  const plain = dispatcher.onEvent({ content: asking(5), id: 'low', priority: -10 }, { caller: 'ci' })
  const urgent = dispatcher.onEvent({ content: asking(5), id: 'urgent', priority: 10, timeout_ms: 100_000 })
  await clock.advance(1)
  const reading = dispatcher.line()
  expect(reading).toMatchObject({ now: new Date(START + 2).toISOString(), capacity: 1_000, more: 0 })
  expect(reading.running).toEqual([
    {
      hand: expect.stringMatching(/^hand_/),
      event_id: 'first',
      reference: 'tkt_1',
      door: 'event',
      priority: 0,
      entered_at: new Date(START).toISOString(),
      deadline_at: expect.any(String),
      backend: 'box',
      endpoint: 'chat',
      seated_at: new Date(START).toISOString(),
      phase: 'reading',
      chars: 0,
    },
  ])
  expect(reading.waiting).toMatchObject([
    { event_id: 'urgent', priority: 10, position: 1, backends: ['box'], starts_in_ms: null, late: false },
    { event_id: 'low', caller: 'ci', priority: -10, position: 2, starts_in_ms: null, late: false },
  ])
  expect(reading.waiting[0]).toMatchObject({ deadline_at: new Date(START + 100_001).toISOString() })
  await clock.advance(20 + 10 * WRITTEN_MS)
  const [writing] = dispatcher.line().running
  expect(writing).toMatchObject({ phase: 'writing', chars: 40, hand: reading.running[0]?.hand })
  expect(writing?.tokens_per_second).toBeGreaterThan(40)
  expect(dispatcher.line(1)).toMatchObject({ waiting: [{ event_id: 'urgent' }], more: 1 })
  await clock.advance(10_000)
  await Promise.all([first, plain, urgent])
  expect(dispatcher.line()).toMatchObject({ running: [], waiting: [], more: 0 })
})

test('says that a call that is not streamed writes once it must have read, and that an event pauses', async () => {
  await using desk = openDesk()
  const { clock, dispatcher, failOnce } = desk
  for (let event = 0; event < 6; event++) {
    const learned = dispatcher.onEvent({
      content: asking(10 + event, 100 * (1 + (event % 3))),
      parameters: { max_tokens: 20 },
    })
    await clock.advance(5_000)
    await learned
  }
  const plain = dispatcher.onEvent({ content: asking(10, 200), parameters: { max_tokens: 20 } })
  await clock.advance(100)
  const [reading] = dispatcher.line().running
  expect(reading).toMatchObject({ phase: 'reading', chars: 0 })
  expect(reading?.ends_in_ms).toBeGreaterThan(200)
  await clock.advance(400)
  expect(dispatcher.line().running).toMatchObject([{ phase: 'writing' }])
  await clock.advance(5_000)
  await plain
  failOnce()
  const again = dispatcher.onEvent({ content: asking(1) })
  await clock.advance(1)
  expect(dispatcher.line().running).toMatchObject([{ phase: 'pausing' }])
  await clock.advance(60_000)
  expect(await again).toHaveProperty('completion')
})

/** The outcome at the end of a stream. */
async function endOf(events: ReturnType<Dispatcher['streamEvent']>): Promise<Outcome | undefined> {
  for await (const event of events) if ('outcome' in event) return event.outcome
  return undefined
}

test('an outcome says how long it stood in line, and a stream when its prompt had been read', async () => {
  await using desk = openDesk()
  const { clock, dispatcher } = desk
  const first = endOf(dispatcher.streamEvent({ content: asking(50, 100) }))
  await clock.advance(100)
  const second = dispatcher.onEvent({ content: asking(5) })
  await clock.advance(10_000)
  const told = { prompt_ms: 220, completion_ms: 980, phases: 'stream', first_token_ms: 220 }
  expect(await first).toMatchObject({ duration_ms: 1_200, waited_ms: 0, attempts: [told] })
  expect(await second).toMatchObject({ duration_ms: 1_220, waited_ms: 1_100 })
})

test('an outcome of an event that never got a slot says how long it stood in line', async () => {
  await using desk = openDesk()
  const { clock, dispatcher } = desk
  const first = dispatcher.onEvent({ content: asking(500) })
  await clock.advance(1)
  const second = dispatcher.onEvent({ content: asking(5), timeout_ms: 2_000 })
  await clock.advance(20_000)
  await first
  expect(await second).toMatchObject({ error: 'deadline_exceeded', duration_ms: 2_000, waited_ms: 2_000 })
})

test('once three calls have taught the speed, a plain call is parted by it', async () => {
  await using desk = openDesk()
  const { clock, dispatcher } = desk
  const ask = async (written: number, read: number) => {
    const asked = dispatcher.onEvent({ content: asking(written, read) })
    await clock.advance(20_000)
    const { attempts } = await asked
    return attempts[0]
  }
  for (const [written, read] of [
    [10, 1_000],
    [50, 20],
    [30, 300],
  ] as const) {
    expect(await ask(written, read)).not.toHaveProperty('phases')
  }
  const call = await ask(20, 500)
  expect(call).toMatchObject({ duration_ms: 1_400, phases: 'learned' })
  expect(call?.prompt_ms).toBeGreaterThan(950)
  expect(call?.prompt_ms).toBeLessThan(1_050)
  expect((call?.prompt_ms ?? 0) + (call?.completion_ms ?? 0)).toBe(1_400)
})

test.each([
  [
    'as it says',
    { promptMs: 30.4, completionMs: 60 },
    { prompt_ms: 30, completion_ms: 60, phases: 'backend' },
  ],
  ['not where it says more than there was', { promptMs: 3_000, completionMs: 60 }, undefined],
])('a server that tells its times is believed, %s', async (_name, times, expected) => {
  const clock = createVirtualClock({ startAt: START })
  const backend: Backend = {
    name: 'teller',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    async *generate(_endpoint, _request, { signal }) {
      await sleep(clock, 100, signal)
      yield { type: 'end', text: 'Hi', finish_reason: 'stop', raw_finish_reason: 'stop', times }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  await using dispatcher = createDispatcher({ backends: [backend], clock })
  const asked = dispatcher.onEvent({ content: 'Hi' })
  await clock.advance(100)
  const { attempts } = await asked
  if (expected) expect(attempts).toMatchObject([expected])
  else expect(attempts[0]).not.toHaveProperty('phases')
})

test('cancels any event in hand: one that waits at once, one that runs down to its backend', async () => {
  await using desk = openDesk()
  const { clock, dispatcher } = desk
  const runs = dispatcher.onEvent({ content: asking(500) }, { caller: 'ci', reference: 'tkt_1' })
  const waits = dispatcher.onEvent({ content: asking(500) })
  await clock.advance(1)
  const { running, waiting } = dispatcher.line()
  await dispatcher.inHand(waiting[0]?.hand ?? '')?.cancel()
  expect(await waits).toMatchObject({ error: 'cancelled', attempts: [] })
  const seated = dispatcher.inHand(running[0]?.hand ?? '')
  expect(seated).toMatchObject({ caller: 'ci', reference: 'tkt_1' })
  await seated?.cancel()
  expect(await runs).toMatchObject({ error: 'cancelled' })
  expect(dispatcher.freeSlots()).toMatchObject([{ free: 1 }])
  expect(dispatcher.inHand(running[0]?.hand ?? '')).toBeUndefined()
  expect(dispatcher.inHand('hand_none')).toBeUndefined()
})

/** A number from 0 to 1, the same ones for a seed: mulberry32. */
function seeded(seed: number) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

test.each([1, 2, 3])('forecasts of a load are good enough to act on (seed %i)', async (seed) => {
  await using desk = openDesk(2)
  const { clock, dispatcher } = desk
  const random = seeded(seed)
  const seatedAt = new Map<string, number>()
  const endedAt = new Map<string, number>()
  const deadlines = new Map<string, number>()
  const said: { id: string; at: number; startsInMs: number; isLate: boolean }[] = []
  const running: Promise<unknown>[] = []
  for (let number = 0; number < 250; number++) {
    const id = `evt_${number}`
    const written = 20 + Math.floor(random() * 60)
    const timeout_ms = random() < 0.3 ? 2_000 + Math.floor(random() * 20_000) : 600_000
    deadlines.set(id, clock.now() + timeout_ms)
    running.push(
      dispatcher
        .onEvent(
          {
            id,
            content: asking(written, 50 + Math.floor(random() * 400)),
            parameters: { max_tokens: written },
            timeout_ms,
          },
          {
            caller: `caller-${number % 4}`,
            beforeCall: () => void seatedAt.set(id, clock.now()),
            record: () => void endedAt.set(id, clock.now()),
          },
        )
        .catch(() => undefined),
    )
    await clock.advance(Math.floor(random() * 1_500))
    if (number < 20) continue
    for (const { event_id, starts_in_ms, late } of dispatcher.line().waiting) {
      if (starts_in_ms !== null)
        said.push({ id: event_id, at: clock.now(), startsInMs: starts_in_ms, isLate: late })
    }
  }
  await clock.advance(1_000_000)
  await Promise.all(running)
  const errors = said.flatMap(({ id, at, startsInMs }) => {
    const started = seatedAt.get(id)
    return started === undefined ? [] : [Math.abs(started - at - startsInMs) / Math.max(1_000, started - at)]
  })
  errors.sort((one, other) => one - other)
  expect(errors.length).toBeGreaterThan(300)
  expect(errors[Math.floor(errors.length / 2)]).toBeLessThanOrEqual(0.25)
  const isRight = ({ id, isLate }: (typeof said)[number]) =>
    isLate === (endedAt.get(id) ?? 0) >= (deadlines.get(id) ?? 0)
  expect(said.filter(isRight).length / said.length).toBeGreaterThanOrEqual(0.9)
})
