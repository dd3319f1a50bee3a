import { createVirtualClock } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import type { Backend, GenerationRequest } from '../contract/backend.ts'
import { sleep } from '../contract/clock.ts'
import type { DispatcherOptions } from '../contract/options.ts'
import type { FailureOutcome, Outcome } from '../contract/outcome.ts'
import { createDispatcher } from '../create-dispatcher.ts'

// A server that loads the model which is asked for and has one in memory, on a virtual clock.
const READ_MS = 1
const WRITTEN_MS = 10

interface Server {
  readonly loadMs?: Readonly<Record<string, number>>
  /** False: it does not say what is loaded. */
  readonly tells?: boolean
  readonly contextOf?: Readonly<Record<string, number>>
  readonly name?: string
  /** So many looks at it bring only the list of its models. */
  readonly slowLooks?: number
}

function openServer(clock: ReturnType<typeof createVirtualClock>, server: Server = {}) {
  const { loadMs = { a: 8_000, b: 8_000, c: 8_000 }, tells = true, contextOf = {}, name = 'box' } = server
  const world = {
    loaded: undefined as string | undefined,
    loads: 0,
    served: [] as string[],
    slowLooks: server.slowLooks ?? 0,
  }
  async function* generate(_: unknown, request: GenerationRequest, { signal }: { signal: AbortSignal }) {
    const { model = world.loaded, turns, parameters } = request
    if (model !== world.loaded && model !== undefined) {
      world.loads += 1
      world.loaded = undefined
      await sleep(clock, loadMs[model] ?? 0, signal)
      world.loaded = model
    }
    const text = turns.map(({ content }) => content).join('')
    const usage = { prompt_tokens: text.length / 4, completion_tokens: parameters.max_tokens }
    world.served.push(text.replace(/\.*$/, ''))
    await sleep(clock, usage.prompt_tokens * READ_MS + usage.completion_tokens * WRITTEN_MS, signal)
    yield { type: 'end', text: 'x', finish_reason: 'stop', raw_finish_reason: 'stop', usage } as const
  }
  const backend: Backend = {
    name,
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: false }],
    generate,
    probe: async () => {
      const models = Object.keys(loadMs)
      if (world.slowLooks-- > 0) return { models, incomplete: true }
      const loaded =
        world.loaded === undefined
          ? []
          : [{ name: world.loaded, contextLength: contextOf[world.loaded] ?? 100_000 }]
      return { models, ...(tells && { loaded }) }
    },
    countTokens: async ({ turns }) => turns.map(({ content }) => content).join('').length / 4,
    close: async () => {},
  }
  return { world, backend }
}

function openDesk(server: Server = {}, options: Partial<DispatcherOptions> = {}) {
  const clock = createVirtualClock()
  const { world, backend } = openServer(clock, server)
  const dispatcher = createDispatcher({
    backends: [{ backend, warmPrompts: 5 }],
    clock,
    random: () => 0.5,
    maxTokens: 10,
    ...options,
  })
  /** The text is what the server notes; all have about the same length. */
  const ask = (model: string | undefined, text: string, more: Record<string, unknown> = {}) =>
    dispatcher.onEvent({ content: text.padEnd(400, '.'), ...(model && { model }), ...more })
  /** Resolves once all are answered, with the time that took. */
  async function all(outcomes: readonly Promise<Outcome>[]): Promise<number> {
    const startedAt = clock.now()
    for (const outcome of await settle(outcomes)) expect(outcome.error).toBeUndefined()
    return clock.now() - startedAt
  }
  async function settle(outcomes: readonly Promise<Outcome>[]): Promise<Outcome[]> {
    const startedAt = clock.now()
    let isDone = false
    void Promise.all(outcomes).then(() => {
      isDone = true
    })
    while (!isDone) {
      expect(clock.now() - startedAt, 'nobody waits for ever').toBeLessThan(3_600_000)
      await clock.advance(10)
    }
    return Promise.all(outcomes)
  }
  /** Both models once, so that speeds and loading times are known; `a` is loaded then. */
  async function warmUp(): Promise<void> {
    for (const [index, model] of ['a', 'a', 'a', 'a', 'b', 'a'].entries())
      await all([ask(model, `${index} warms up`)])
    world.served.length = 0
    world.loads = 0
  }
  return { clock, world, dispatcher, ask, all, settle, warmUp }
}

/** Two automations in turn, each with a model of its own. */
const inTurn = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    model: index % 2 === 0 ? 'a' : 'b',
    text: `${index % 2 === 0 ? 'a' : 'b'}${index}`,
  }))

test('events for the loaded model go first: the models are loaded once each', async () => {
  const desk = openDesk()
  await desk.warmUp()
  const tookMs = await desk.all(
    inTurn(8).map(({ model, text }) => desk.ask(model, text, { metadata: { by: model } })),
  )
  expect(desk.world.served).toEqual(['a0', 'a2', 'a4', 'a6', 'b1', 'b3', 'b5', 'b7'])
  expect(desk.world.loads).toBe(1)
  expect(tookMs).toBeLessThan(8_000 + 8 * 200 + 500)
})

test('a server that was too slow to say what it has loaded is asked again, and what it said before stays', async () => {
  const desk = openDesk({ slowLooks: 1 })
  await desk.warmUp()
  await desk.clock.advance(6_000)
  await desk.all([desk.ask('a', 'asked again')])
  await desk.warmUp()
  await desk.all(inTurn(8).map(({ model, text }) => desk.ask(model, text)))
  expect(desk.world.served).toEqual(['a0', 'a2', 'a4', 'a6', 'b1', 'b3', 'b5', 'b7'])
  expect(desk.dispatcher.report().backends[0]).toMatchObject({ loaded_models: ['b'] })
})

test('a look that brings half of it does not look like another server', async () => {
  const desk = openDesk({ contextOf: { a: 4_000, b: 8_000 } })
  await desk.warmUp()
  desk.world.slowLooks = 1
  await desk.dispatcher.backend('box')?.probe()
  expect(desk.dispatcher.report().backends[0]).toMatchObject({ loaded_models: ['a'] })
  await desk.all(inTurn(8).map(({ model, text }) => desk.ask(model, text)))
  expect(desk.world.loads).toBe(1)
})

test('with overtakeMs 0 the order is that of turns', async () => {
  const desk = openDesk({}, { overtakeMs: 0 })
  await desk.warmUp()
  await desk.all(inTurn(6).map(({ model, text }) => desk.ask(model, text)))
  expect(desk.world.served).toEqual(['a0', 'b1', 'a2', 'b3', 'a4', 'b5'])
  expect(desk.world.loads).toBe(5)
})

test('nobody is overtaken beyond overtakeMs, however long its model takes to load', async () => {
  const desk = openDesk({ loadMs: { a: 60_000, b: 60_000 } }, { overtakeMs: 1_000 })
  await desk.warmUp()
  const events = [desk.ask('a', 'first'), desk.ask('b', 'other')]
  const more = Array.from({ length: 12 }, (_, index) => desk.ask('a', `a${index}`))
  await desk.all([...events, ...more])
  const place = desk.world.served.indexOf('other')
  // Each takes 200 ms, and five of them fit into the bound.
  expect(place).toBeGreaterThanOrEqual(4)
  expect(place).toBeLessThanOrEqual(6)
  expect(desk.world.loads).toBe(2)
})

test('nobody is overtaken past a deadline, for which its model has to be loaded first', async () => {
  const desk = openDesk()
  await desk.warmUp()
  const first = desk.ask('a', 'first')
  const bound = desk.ask('b', 'b', { timeout_ms: 12_000 })
  const others = Array.from({ length: 30 }, (_, index) => desk.ask('a', `a${index}`))
  await desk.all([first, bound, ...others])
  expect(desk.world.served.indexOf('b')).toBeGreaterThan(3)
})

test('a higher priority never waits for a loaded model', async () => {
  const desk = openDesk()
  await desk.warmUp()
  const first = desk.ask('a', 'first')
  const waiting = [desk.ask('a', 'a1'), desk.ask('a', 'a2'), desk.ask('b', 'urgent', { priority: 10 })]
  await desk.all([first, ...waiting])
  expect(desk.world.served).toEqual(['first', 'urgent', 'a1', 'a2'])
})

test('an event that names no model is served by whatever is loaded, and lets nobody wait for it', async () => {
  const desk = openDesk()
  await desk.warmUp()
  await desk.all([desk.ask('a', 'first'), desk.ask('b', 'b'), desk.ask(undefined, 'any'), desk.ask('a', 'a')])
  expect(desk.world.served).toEqual(['first', 'any', 'a', 'b'])
})

test('the time that a model takes to load is learned, and told', async () => {
  const desk = openDesk()
  await desk.warmUp()
  const [report] = desk.dispatcher.report().backends
  expect(report?.model_load_ms).toBeGreaterThan(7_900)
  expect(report?.model_load_ms).toBeLessThan(8_200)
  // The speeds are those of reading and writing, as if nothing had ever been loaded.
  expect(report?.completion_tokens_per_second).toBeCloseTo(100, 0)
  const events = [desk.ask('a', 'first'), desk.ask('b', 'b1'), desk.ask('b', 'b2'), desk.ask('a', 'a1')]
  await desk.clock.advance(1)
  const { eta_seconds: eta } = desk.dispatcher.report().line
  // Four calls of 200 ms, and one load.
  expect(eta).toBe(9)
  await desk.all(events)
})

test('in the order of turns each change of model counts', async () => {
  const desk = openDesk({}, { overtakeMs: 0 })
  await desk.warmUp()
  const events = [desk.ask('a', 'first'), desk.ask('b', 'b1'), desk.ask('a', 'a1'), desk.ask('b', 'b2')]
  await desk.clock.advance(1)
  expect(desk.dispatcher.report().line.eta_seconds).toBe(25)
  await desk.all(events)
})

test('an event whose deadline its model cannot meet is refused with when to come back', async () => {
  const desk = openDesk()
  await desk.warmUp()
  const first = desk.ask('a', 'first')
  await desk.clock.advance(1)
  const [refused] = await desk.settle([desk.ask('b', 'late', { timeout_ms: 6_000 })])
  expect(refused).toMatchObject({ error: 'capacity_exceeded' })
  expect((refused as FailureOutcome).retry_after_ms).toBeGreaterThanOrEqual(1_000)
  const inTime = desk.ask('a', 'in time', { timeout_ms: 6_000 })
  await desk.all([first, inTime])
})

test('what a model has read goes with it when another one takes its place', async () => {
  const desk = openDesk({ loadMs: { a: 300, b: 300 } })
  const savedOf = async (model: string) => {
    const [outcome] = await desk.settle([desk.ask(model, 'same for all')])
    return outcome?.attempts?.at(-1)?.saved_prompt_tokens ?? 0
  }
  const waiting = desk.ask('a', 'somebody waits, so that it is worth knowing')
  expect([await savedOf('a'), await savedOf('a')]).toEqual([0, 100])
  await desk.all([waiting])
  expect([await savedOf('b'), await savedOf('a')]).toEqual([0, 0])
})

test('a load of minutes is waited for, and the server is not taken for dead', async () => {
  const desk = openDesk({ loadMs: { a: 240_000, b: 240_000 } })
  await desk.all([desk.ask('a', 'slow'), desk.ask('b', 'slower')])
  const [report] = desk.dispatcher.report().backends
  expect(report).toMatchObject({ breaker: 'closed', state: 'ready' })
})

test('a server that let its model go is looked at before the next event', async () => {
  const desk = openDesk()
  await desk.warmUp()
  await desk.clock.advance(400_000)
  desk.world.loaded = undefined
  await desk.all([desk.ask('a', 'first')])
  const [report] = desk.dispatcher.report().backends
  expect(report?.model_load_ms).toBeLessThan(8_200)
  expect(report?.completion_tokens_per_second).toBeCloseTo(100, 0)
})

test('a server that does not say what it has loaded is served as ever', async () => {
  const desk = openDesk({ tells: false })
  for (const model of ['a', 'b', 'a']) await desk.all([desk.ask(model, `warm ${model}`)])
  desk.world.served.length = 0
  await desk.all(inTurn(4).map(({ model, text }) => desk.ask(model, text)))
  expect(desk.world.served).toEqual(['a0', 'b1', 'a2', 'b3'])
})

test('the context of a model is asked again when it has been loaded', async () => {
  const desk = openDesk({ loadMs: { a: 300, b: 300 }, contextOf: { a: 500, b: 150 } })
  const long = 'word '.repeat(200)
  await desk.all([desk.ask('a', 'loads a')])
  await desk.all([desk.ask('a', long)])
  // Nobody knows what `b` holds until it is loaded.
  await desk.all([desk.ask('b', 'loads b')])
  const [refused] = await desk.settle([desk.ask('b', long)])
  expect(refused).toMatchObject({ error: 'context_length_exceeded' })
  await desk.all([desk.ask('a', long)])
})

test('of two servers, an event goes to the one that has its model loaded', async () => {
  const clock = createVirtualClock()
  const [one, two] = [openServer(clock, { name: 'one' }), openServer(clock, { name: 'two' })]
  one.world.loaded = 'a'
  two.world.loaded = 'b'
  const dispatcher = createDispatcher({ backends: [one.backend, two.backend], clock, maxTokens: 10 })
  await dispatcher.health()
  for (const model of ['b', 'a', 'a', 'b', 'b', 'a']) {
    const pending = dispatcher.onEvent({ content: 'Hello', model })
    await clock.advance(10_000)
    expect(await pending).toMatchObject({ backend: model === 'a' ? 'one' : 'two' })
  }
  expect([one.world.loads, two.world.loads]).toEqual([0, 0])
})

test('an event waits for the server that has its model loaded, if the other one would have to load it', async () => {
  const clock = createVirtualClock()
  const [one, two] = [openServer(clock, { name: 'one' }), openServer(clock, { name: 'two' })]
  one.world.loaded = 'a'
  two.world.loaded = 'b'
  const dispatcher = createDispatcher({ backends: [one.backend, two.backend], clock, maxTokens: 100 })
  await dispatcher.health()
  for (let event = 0; event < 4; event++) {
    const both = ['a', 'b'].map((model) => dispatcher.onEvent({ content: `Event ${event}`, model }))
    await clock.advance(2_000)
    await Promise.all(both)
  }
  const events = ['a', 'a', 'a'].map((model) => dispatcher.onEvent({ content: 'Hello', model }))
  await clock.advance(8_000)
  for (const outcome of await Promise.all(events)) expect(outcome).toMatchObject({ backend: 'one' })
  expect(two.world.loads).toBe(0)
})
