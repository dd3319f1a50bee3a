import { createPromptMemory, createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import type { Backend, BackendState } from '../contract/backend.ts'
import { sleep } from '../contract/clock.ts'
import { type DispatcherOptions, resolveOptions } from '../contract/options.ts'
import type { Turn } from '../contract/prompt.ts'
import { Cancellation, createStand } from '../event/run.ts'
import { type ScheduledEvent, Scheduler } from './scheduler.ts'
import { WaitingLine } from './waiting-line.ts'

// Prompts of automations, conversations and strangers before one box that keeps the last one, on a virtual clock, chosen
// by a seed. Beside the scheduler runs a line of its own that knows nothing of prompts: what the scheduler does
// otherwise has to keep within the bounds. AI_TICKET_SIMULATION_SEED=n runs one seed alone.
const LONG = process.env.AI_TICKET_LONG === '1'
const ONE = process.env.AI_TICKET_SIMULATION_SEED
const seeds = (count: number) =>
  ONE ? [Number(ONE)] : Array.from({ length: LONG ? 10 * count : count }, (_, index) => index + 1)

const READ_MS = 2
const WRITTEN_MS = 10
const TICK = 0.01

interface Entry {
  readonly event: ScheduledEvent
  readonly priority: number
  readonly caller: string
  readonly enteredAt: number
  readonly backends: readonly string[]
  passedAt?: number
}

interface Served {
  readonly entry: Entry
  readonly startedAt: number
  readonly endedAt: number
}

/** One box and its scheduler; whoever is served is checked against the order of turns. */
function openWorld(options: Partial<DispatcherOptions> = {}, { keeps = true } = {}) {
  const clock = createVirtualClock()
  const loaded: Pick<BackendState, 'models' | 'served' | 'upMs'> = { models: ['m'] }
  const state = { loaded }
  const backend: Backend = {
    name: 'box',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    generate: () => expect.fail('the test serves by itself'),
    probe: async () => ({ ...state.loaded }),
    close: async () => {},
  }
  const resolved = resolveOptions({ backends: [backend], clock, random: () => 0.5, ...options })
  const scheduler = new Scheduler(resolved)
  const { overtakeMs, lingerMs, ageingMs } = resolved.tuning
  const line = new WaitingLine<Entry>({ ageingMs })
  const memory = createPromptMemory(1)
  const served: Served[] = []
  /** Tokens of each prompt that the desk took to be kept. */
  const believed: number[] = []
  let freeSince: number | undefined = 0
  let waitedAtRelease: readonly Entry[] = []
  let lastPriority = 0
  for (let sample = 0; sample < 5; sample++) {
    scheduler.backends[0]?.learn({
      usage: { prompt_tokens: 1_000, completion_tokens: 10 },
      ...{ durationMs: 1_000 * READ_MS + 10 * WRITTEN_MS, firstTokenMs: 1_000 * READ_MS },
      ...{ maxTokens: 10, likelyTokens: 1_000, savedTokens: 0 },
    })
  }

  function checkTurn(entry: Entry, workMs: number): void {
    const now = clock.now()
    const order = line.order('box', now)
    for (const passed of order.slice(0, Math.max(0, order.indexOf(entry)))) {
      const since = passed.passedAt ?? now
      passed.passedAt = since
      expect(line.effective(entry, now), 'a higher priority waits for no lower one').toBeGreaterThanOrEqual(
        line.effective(passed, now),
      )
      // The desk knows the work of who overtakes as well as its speeds are learned.
      const endsAt = now + 0.85 * workMs - TICK
      expect(endsAt - since, 'nobody is overtaken beyond the bound').toBeLessThanOrEqual(overtakeMs)
      expect(endsAt, 'nobody is overtaken past a deadline').toBeLessThanOrEqual(passed.event.deadlineAt)
    }
    if (line.waiting().includes(entry)) line.serve(entry, order[0]?.caller !== entry.caller)
  }

  function checkHold(): void {
    const heldMs = waitedAtRelease.length > 0 ? clock.now() - (freeSince ?? clock.now()) : 0
    if (heldMs <= TICK) return
    expect(heldMs, 'a slot is held no longer').toBeLessThanOrEqual(lingerMs + TICK)
    for (const { event, priority } of waitedAtRelease) {
      expect(event.deadlineAt, 'nor past a deadline').toBeGreaterThanOrEqual((freeSince ?? 0) + lingerMs)
      expect(priority, 'nor before a higher priority').toBeLessThanOrEqual(lastPriority)
    }
  }

  /** Sends an event; resolves with its answer. */
  async function ask(given: {
    caller: string
    turns: Turn[]
    answerTokens: number
    priority?: number
    timeoutMs?: number
  }): Promise<string> {
    const { caller, turns, answerTokens, priority = 0, timeoutMs = 1_000_000 } = given
    const text = turns.map(({ content }) => content).join('')
    const tokens = Math.ceil(text.length / 4)
    const startedAt = clock.now()
    const event: ScheduledEvent = {
      ...{ prompt: { turns, parameters: {} }, model: undefined, backend: undefined },
      ...{ cancellation: new Cancellation(), answerSchema: undefined, priority, caller, startedAt },
      ...{ id: '', stand: createStand({}, false) },
      ...{ deadlineAt: startedAt + timeoutMs, work: { promptTokens: tokens, maxTokens: answerTokens } },
    }
    const entry: Entry = { event, priority, caller, enteredAt: startedAt, backends: ['box'] }
    const [slots] = scheduler.backends
    // The scheduler looks whom it can serve before it takes a new one in, so its line has to be up to date.
    slots?.become(slots.status)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    if (!slots?.isFree || line.size > 0) line.enter(entry)
    const grant = await scheduler.take({ event, tried: new Set(), isReturning: false })
    if (!grant.lease.ok) {
      line.leave(entry)
      return ''
    }
    if (!keeps) memory.clear()
    const reading = memory.read(text)
    const workMs = Math.max(1, tokens - reading.warmTokens) * READ_MS + answerTokens * WRITTEN_MS
    checkTurn(entry, workMs)
    checkHold()
    expect(freeSince, 'one at a time').toBeDefined()
    freeSince = undefined
    grant.lease.value.countCall()
    believed.push(grant.lease.value.savedTokens() ?? 0)
    await sleep(clock, workMs)
    const answer = `${served.length} answers `
      .repeat(answerTokens)
      .slice(0, answerTokens * 4 - 1)
      .concat('.')
    reading.end({ tokens: Number.POSITIVE_INFINITY, written: answer })
    served.push({ entry, startedAt: clock.now() - workMs, endedAt: clock.now() })
    freeSince = clock.now()
    waitedAtRelease = line.order('box', clock.now())
    lastPriority = priority
    grant.lease.value.leave({
      type: 'answered',
      sample: {
        usage: { prompt_tokens: tokens, completion_tokens: answerTokens },
        ...{ cachedTokens: undefined, durationMs: workMs, firstTokenMs: undefined },
      },
      answer: { role: 'assistant', content: answer },
    })
    return answer
  }
  return { clock, state, scheduler, line, served, believed, ask }
}

type World = ReturnType<typeof openWorld>

const textOf = (label: string, tokens: number) => `${label} `.repeat(tokens * 4).slice(0, tokens * 4)

async function converse(world: World, name: string, random: () => number): Promise<void> {
  const { clock, ask } = world
  const turns: Turn[] = [{ role: 'system', content: textOf(`${name} rules`, 200 + random() * 800) }]
  const pauseMs = random() < 0.6 ? 1 + random() * 80 : random() * 4_000
  const priority = random() < 0.8 ? 0 : Math.floor(random() * 3) - 1
  for (let turn = 0; turn < 4; turn++) {
    turns.push({ role: 'user', content: textOf(`${name} ${turn}`, 20 + random() * 100) })
    const answerTokens = 5 + Math.floor(random() * 20)
    const answer = await ask({ caller: name, turns: [...turns], answerTokens, priority })
    turns.push({ role: 'assistant', content: answer })
    await sleep(clock, pauseMs)
  }
}

async function automate(world: World, name: string, random: () => number): Promise<void> {
  const instructions = textOf(`${name} instructions`, 300 + random() * 700)
  const inOne = random() < 0.5
  await Promise.all(
    Array.from({ length: 6 }, async (_, event) => {
      await sleep(world.clock, random() < 0.5 ? 0 : random() * 6_000)
      const mail = textOf(`${name} mail ${event}`, 20 + random() * 80)
      const turns: Turn[] = inOne
        ? [{ role: 'user', content: instructions + mail }]
        : [
            { role: 'system', content: instructions },
            { role: 'user', content: mail },
          ]
      const timeoutMs = random() < 0.2 ? 3_000 + random() * 10_000 : 1_000_000
      const priority = random() < 0.85 ? 0 : Math.floor(random() * 3) - 1
      await world.ask({
        caller: random() < 0.8 ? name : 'shared',
        turns,
        answerTokens: 8,
        timeoutMs,
        priority,
      })
    }),
  )
}

/** Moves the time on until all is done. */
async function runOut(world: World, work: readonly Promise<unknown>[]): Promise<void> {
  let isDone = false
  let problem: { readonly error: unknown } | undefined
  void Promise.all(work).then(
    () => {
      isDone = true
    },
    (error: unknown) => {
      problem = { error }
    },
  )
  for (let steps = 0; !isDone && !problem; steps++) {
    expect(steps, 'nobody waits for ever').toBeLessThan(200)
    await world.clock.advance(5_000)
  }
  if (problem) throw problem.error
  await world.scheduler.close()
}

async function eachSeed(count: number, run: (random: () => number) => Promise<void>): Promise<void> {
  for (const seed of seeds(count)) {
    try {
      await run(mulberry32(seed))
    } catch (error) {
      throw new Error(`AI_TICKET_SIMULATION_SEED=${seed} fails`, { cause: error })
    }
  }
}

const LIMIT = { timeout: 1_200_000 }

test('warm prompts change the order of turns within their bounds only', LIMIT, async () => {
  await eachSeed(1_000, async (random) => {
    const world = openWorld({
      overtakeMs: Math.ceil(random() < 0.5 ? 10_000 : random() * 4_000 + 1),
      lingerMs: random() < 0.7 ? 50 : Math.floor(random() * 400),
      ageingMs: random() < 0.7 ? 30_000 : 2_000,
    })
    const count = 2 + Math.floor(random() * 3)
    await runOut(
      world,
      Array.from({ length: count }, (_, index) =>
        random() < 0.5 ? converse(world, `talk ${index}`, random) : automate(world, `job ${index}`, random),
      ),
    )
  })
})

test('with overtakeMs 0 the order is that of turns', LIMIT, async () => {
  await eachSeed(100, async (random) => {
    const world = openWorld({ overtakeMs: 0 })
    await runOut(world, [
      converse(world, 'talk', random),
      automate(world, 'job', random),
      automate(world, 'work', random),
    ])
    expect(world.served.every(({ entry }) => entry.passedAt === undefined)).toBe(true)
  })
})

test('callers of one priority get equally many slots in the long run', LIMIT, async () => {
  await eachSeed(8, async (random) => {
    const overtakeMs = 1_000 + Math.floor(random() * 3_000)
    const world = openWorld({ overtakeMs })
    const { clock, ask } = world
    const UNTIL = 200_000
    const keepBusy = async (caller: string, nextTurns: () => Turn[]) => {
      while (clock.now() < UNTIL) await ask({ caller, turns: nextTurns(), answerTokens: 8 })
    }
    let strangers = 0
    const warm = (): Turn[] => [
      { role: 'system', content: textOf('warm', 600) },
      { role: 'user', content: textOf(`mail ${random()}`, 40) },
    ]
    const cold = (): Turn[] => [{ role: 'user', content: textOf(`stranger ${strangers++}`, 400) }]
    const each = (caller: string, turns: () => Turn[]) =>
      Array.from({ length: 4 }, () => keepBusy(caller, turns))
    await runOut(world, [...each('warm', warm), ...each('cold', cold)])
    const of = (caller: string) => world.served.filter(({ entry }) => entry.caller === caller).length
    // A bound's worth of the quickest calls may be out at the end.
    expect(Math.abs(of('warm') - of('cold'))).toBeLessThanOrEqual(overtakeMs / (40 * READ_MS + 80) + 8)
  })
})

test('forecasts know of warm prompts: off by a quarter at most at the median', LIMIT, async () => {
  const errors: number[] = []
  await eachSeed(100, async (random) => {
    const world = openWorld()
    const families = 1 + Math.floor(random() * 3)
    const events = Array.from({ length: 14 }, async (_, event) => {
      await sleep(world.clock, event)
      const name = `family ${Math.floor(random() * families)}`
      const { eta_seconds: eta } = world.scheduler.report().line
      const askedAt = world.clock.now()
      const mail = textOf(`mail ${event}`, 50 + random() * 50)
      await world.ask({
        caller: 'one',
        turns: [
          { role: 'system', content: textOf(name, 900) },
          { role: 'user', content: mail },
        ],
        answerTokens: 20,
      })
      const start = world.served.find(({ entry }) => entry.enteredAt === askedAt)?.startedAt ?? askedAt
      const waitedMs = start - askedAt
      // Whole seconds cannot say a shorter wait better.
      if (eta !== undefined && event === 13) errors.push(Math.abs((eta * 1_000) / waitedMs - 1))
    })
    await runOut(world, events)
  })
  const median = errors.sort((one, other) => one - other)[Math.floor(errors.length / 2)]
  expect(median).toBeLessThanOrEqual(0.25)
})

test.for([true, false])('a box that keeps prompts (%s) is believed as its times say', async (keeps) => {
  const world = openWorld({}, { keeps })
  const all = async () => {
    for (let event = 0; event < 8; event++) {
      const user = textOf(`mail ${event}`, 40)
      const turns: Turn[] = [
        { role: 'system', content: textOf('rules', 500) },
        { role: 'user', content: user },
      ]
      await world.ask({ caller: 'one', turns, answerTokens: 8 })
    }
  }
  await runOut(world, [all()])
  expect(world.believed.slice(0, 2)).toEqual([0, 500])
  expect(world.believed.at(-1)).toBe(keeps ? 500 : 0)
})

test('behind a server that does not count, another model is noticed by its name', async () => {
  const world = openWorld()
  const all = async () => {
    for (const model of ['m', 'm', 'other', 'other']) {
      world.state.loaded = { models: [model] }
      await world.scheduler.backends[0]?.probe(0)
      const turns: Turn[] = [
        { role: 'system', content: textOf('rules', 500) },
        { role: 'user', content: textOf(`mail ${world.served.length}`, 40) },
      ]
      await world.ask({ caller: 'one', turns, answerTokens: 8 })
    }
  }
  await runOut(world, [all()])
  expect(world.believed).toEqual([0, 500, 0, 500])
})

test.each([
  ['nothing else', { served: 2, upMs: 70_000 }, 500],
  ['a generation of somebody else', { served: 3, upMs: 70_000 }, 0],
  ['a shorter time since its start, and as many generations', { served: 2, upMs: 3_000 }, 0],
  ['fewer generations than it has answered', { served: 1, upMs: 70_000 }, 0],
] as const)('a server that reports %s is believed to keep what that allows', async (_, found, kept) => {
  const world = openWorld()
  const look = async (counts: { readonly served: number; readonly upMs?: number }) => {
    world.state.loaded = { models: ['m'], ...counts }
    await world.scheduler.backends[0]?.probe(0)
  }
  const ask = (mail: string) => {
    const turns: Turn[] = [
      { role: 'system', content: textOf('rules', 500) },
      { role: 'user', content: textOf(mail, 40) },
    ]
    return world.ask({ caller: 'one', turns, answerTokens: 8 })
  }
  const all = async () => {
    await look({ served: 1, upMs: 60_000 })
    await ask('first')
    await look(found)
    await ask('second')
  }
  await runOut(world, [all()])
  expect(world.believed).toEqual([0, kept])
})

/** A small seeded generator; mulberry32 by Tommy Ettinger, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
