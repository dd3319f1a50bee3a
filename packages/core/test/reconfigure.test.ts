import {
  type Backend,
  createDispatcher,
  createKoboldBackend,
  type DispatcherOptions,
  type GenerationEvent,
} from '@ai-ticket/core'
import {
  type KoboldSimulator,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
} from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

// Everything here goes over real sockets: a backend that is closed too early would cut off its call.

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
/** It never ends by itself. */
const ENDLESS = { faults: [{ fault: 'hang_before_headers' }] } as const

const fails = (times?: number): StartKoboldSimulatorOptions => ({
  ...AT_ONCE,
  faults: [{ fault: 'status', status: 500, ...(times === undefined ? {} : { times }) }],
})

/** A simulator and its backend, which tells when it was closed. */
async function openBox(given: StartKoboldSimulatorOptions, name = 'box') {
  const simulator = await startKoboldSimulator(given)
  const known = createKoboldBackend({ url: simulator.url, name })
  const gate = Promise.withResolvers<void>()
  const box = {
    ...{ simulator, isClosed: false, isHeld: false },
    /** From here on no call ends before `release`. */
    hold() {
      box.isHeld = true
    },
    release: () => gate.resolve(),
    [Symbol.asyncDispose]: () => simulator.close(),
  }
  const own: Pick<Backend, 'generate' | 'close'> = {
    async *generate(...asked) {
      let last: GenerationEvent | undefined
      for await (const part of known.generate(...asked)) {
        if (last) yield last
        last = part
      }
      if (box.isHeld) await gate.promise
      if (last) yield last
    },
    close() {
      box.isClosed = true
      return known.close()
    },
  }
  const backend: Backend = Object.assign(Object.create(known) as Backend, own)
  return Object.assign(box, { backend })
}

const open = (backends: DispatcherOptions['backends'], options: Partial<DispatcherOptions> = {}) =>
  createDispatcher({ backoffBaseMs: 1, backoffCapMs: 1, ...options, backends })

const callsOf = ({ calls }: KoboldSimulator) => calls.filter(({ endpoint }) => endpoint === 'chat').length

test('the next event obeys other settings, the one that runs keeps those that it began with', async () => {
  await using box = await openBox(AT_ONCE)
  box.hold()
  await using dispatcher = open([box.backend])
  const runs = dispatcher.onEvent({ content: 'Why?' })
  await expect.poll(() => callsOf(box.simulator)).toBe(1)
  dispatcher.reconfigure({ maxTokens: 7, temperature: 0.1, topP: 0.5 })
  box.release()
  await runs
  await dispatcher.onEvent({ content: 'Why?' })
  expect(box.simulator.calls.map(({ body }) => body)).toMatchObject([
    { max_tokens: 512, temperature: 0.7, top_p: 1 },
    { max_tokens: 7, temperature: 0.1, top_p: 0.5 },
  ])
})

test('what is left out takes its default again', async () => {
  await using box = await openBox(fails())
  const rest = { backoffBaseMs: 1, backoffCapMs: 1, retryBudgetFloor: 1_000 }
  await using dispatcher = open([box.backend], { ...rest, attempts: 2 })
  const attempts = async () => {
    const { attempts: made } = await dispatcher.onEvent({ content: 'Why?' })
    return made.filter(({ endpoint }) => endpoint === 'chat').length
  }
  expect(await attempts()).toBe(2)
  dispatcher.reconfigure({ ...rest, attempts: 4 })
  expect(await attempts()).toBe(4)
  dispatcher.reconfigure(rest)
  expect(await attempts()).toBe(3)
})

test('a bad value changes nothing, and is named', async () => {
  await using box = await openBox(AT_ONCE)
  await using dispatcher = open([box.backend], { lineCapacity: 5 })
  expect(() => dispatcher.reconfigure({ lineCapacity: 9, attempts: 0 })).toThrow(/attempts/)
  expect(() => dispatcher.reconfigure({ backends: [] })).toThrow(/backends/)
  expect(() => dispatcher.reconfigure({ backends: [box.backend, { backend: box.backend }] })).toThrow(/named/)
  expect(dispatcher.report().line.capacity).toBe(5)
})

test('a smaller line turns newcomers away, and keeps those who stand in it', async () => {
  await using box = await openBox(ENDLESS)
  await using dispatcher = open([box.backend])
  const events = ['one', 'two', 'three'].map((content) => dispatcher.onEvent({ content }))
  await expect.poll(() => dispatcher.report().line.waiting).toBe(2)
  dispatcher.reconfigure({ lineCapacity: 1 })
  expect(await dispatcher.onEvent({ content: 'four' })).toMatchObject({ error: 'capacity_exceeded' })
  expect(dispatcher.report().line).toMatchObject({ waiting: 2, capacity: 1 })
  await dispatcher.close()
  expect((await Promise.all(events)).map(({ error }) => error)).toEqual(Array(3).fill('shutting_down'))
})

test('another number of slots lets in those who wait; fewer slots end none that runs', async () => {
  await using box = await openBox({ ...AT_ONCE, concurrency: 3 })
  box.hold()
  const { backend } = box
  await using dispatcher = open([backend])
  const events = ['one', 'two', 'three'].map((content) => dispatcher.onEvent({ content }))
  await expect.poll(() => dispatcher.report().line.waiting).toBe(2)
  dispatcher.reconfigure({ backends: [{ backend, concurrency: 3 }] })
  expect(dispatcher.report()).toMatchObject({ line: { waiting: 0 }, backends: [{ in_flight: 3 }] })
  dispatcher.reconfigure({ backends: [{ backend, concurrency: 1 }] })
  expect(dispatcher.freeSlots()).toMatchObject([{ free: 0, concurrency: 1 }])
  box.release()
  for (const outcome of await Promise.all(events)) expect(outcome).toHaveProperty('completion')
  expect(dispatcher.freeSlots()).toMatchObject([{ free: 1, concurrency: 1 }])
  expect(box.isClosed).toBe(false)
})

test('a breaker opens by the new number of failures', async () => {
  await using box = await openBox(AT_ONCE)
  await using dispatcher = open([box.backend], { attempts: 1, breakerFailures: 9, loadingGraceMs: 0 })
  await dispatcher.onEvent({ content: 'Why?' })
  await box.simulator.kill()
  await dispatcher.onEvent({ content: 'Why?', timeout_ms: 20_000 })
  expect(dispatcher.report().backends).toMatchObject([{ breaker: 'closed' }])
  dispatcher.reconfigure({ attempts: 1, breakerFailures: 2, loadingGraceMs: 0 })
  await dispatcher.onEvent({ content: 'Why?', timeout_ms: 20_000 })
  expect(dispatcher.report().backends).toMatchObject([{ breaker: 'open' }])
})

test('a backend that is added serves those who wait already', async () => {
  await using first = await openBox(ENDLESS, 'first')
  await using second = await openBox(AT_ONCE, 'second')
  await using dispatcher = open([first.backend])
  void dispatcher.onEvent({ content: 'one' })
  await expect.poll(() => callsOf(first.simulator)).toBe(1)
  const waits = dispatcher.onEvent({ content: 'two' })
  await expect.poll(() => dispatcher.report().line.waiting).toBe(1)
  dispatcher.reconfigure({ backends: [first.backend, second.backend] })
  expect(await waits).toMatchObject({ backend: 'second' })
  expect(dispatcher.report().backends.map(({ name }) => name)).toEqual(['first', 'second'])
})

test('a backend that is removed ends what it has, and is closed then; those who wait go elsewhere', async () => {
  await using first = await openBox(AT_ONCE, 'first')
  await using second = await openBox(AT_ONCE, 'second')
  first.hold()
  second.hold()
  await using dispatcher = open([first.backend, second.backend])
  const runs = [dispatcher.onEvent({ content: 'one' }), dispatcher.onEvent({ content: 'two' })]
  await expect.poll(() => callsOf(first.simulator) + callsOf(second.simulator)).toBe(2)
  const waits = ['three', 'four'].map((content) => dispatcher.onEvent({ content }))
  const named = dispatcher.onEvent({ content: 'five', backend: 'first' })
  await expect.poll(() => dispatcher.report().line.waiting).toBe(3)
  dispatcher.reconfigure({ backends: [second.backend] })
  expect(first.isClosed).toBe(false)
  expect(await named).toMatchObject({ error: 'not_found' })
  second.release()
  for (const outcome of await Promise.all(waits)) expect(outcome).toMatchObject({ backend: 'second' })
  expect(first.isClosed).toBe(false)
  first.release()
  expect((await Promise.all(runs)).map(({ error }) => error)).toEqual([undefined, undefined])
  expect(first.isClosed).toBe(true)
  expect(callsOf(first.simulator)).toBe(1)
  expect(await dispatcher.onEvent({ content: 'six', backend: 'first' })).toMatchObject({ error: 'not_found' })
})

test('another backend may take the name at once; the one before ends what it has', async () => {
  await using before = await openBox(AT_ONCE)
  before.hold()
  await using after = await openBox(AT_ONCE)
  await using dispatcher = open([before.backend])
  const runs = dispatcher.onEvent({ content: 'one' })
  await expect.poll(() => callsOf(before.simulator)).toBe(1)
  const waits = dispatcher.onEvent({ content: 'two' })
  await expect.poll(() => dispatcher.report().line.waiting).toBe(1)
  dispatcher.reconfigure({ backends: [after.backend] })
  expect(await waits).toHaveProperty('completion')
  expect(callsOf(after.simulator)).toBe(1)
  expect(before.isClosed).toBe(false)
  before.release()
  expect(await runs).toHaveProperty('completion')
  expect(before.isClosed).toBe(true)
})

test('a backend that has left and does not stop is closed with the desk', async () => {
  await using first = await openBox(ENDLESS, 'first')
  await using second = await openBox(AT_ONCE, 'second')
  const dispatcher = open([first.backend, second.backend])
  const runs = dispatcher.onEvent({ content: 'one', backend: 'first' })
  await expect.poll(() => callsOf(first.simulator)).toBe(1)
  dispatcher.reconfigure({ backends: [second.backend] })
  await dispatcher.close()
  expect(await runs).toMatchObject({ error: 'shutting_down' })
  expect([first.isClosed, second.isClosed]).toEqual([true, true])
})
