import { createDispatcher, createKoboldBackend, sleep } from '@ai-ticket/core'
import { createScaledClock, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

// A second passes in 20 ms: a loopback exchange of 1 ms counts as 50 ms.
const FACTOR = 50
// On a busy machine a probe of some milliseconds must not pass for one of two seconds.
const PATIENT = { probeTimeoutMs: 30_000 }
const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY, abortReplyMs: 1 }

test('a black hole costs the first events its timeout, and later ones nothing', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk(
    [{ ...AT_ONCE, faults: [{ fault: 'hang_before_headers', endpoint: 'any' }] }, AT_ONCE],
    {
      clock,
    },
  )
  const stateOfFirst = async () => (await desk.dispatcher.health()).backends[0]?.state
  const paid: number[] = []
  for (let event = 0; event < 6; event++) {
    const outcome = await desk.dispatcher.onEvent({ content: 'x' })
    expect(outcome).toMatchObject({ backend: 'b2' })
    paid.push(outcome.attempts.filter(({ backend }) => backend === 'b1').length)
    if (paid.at(-1))
      expect(outcome.attempts[0]).toMatchObject({ backend: 'b1', result: 'api_timeout', stopped: 'dead' })
  }
  // One event finds out that it is silent; from then on the other one is preferred, so that nobody pays.
  expect(paid).toEqual([1, 0, 0, 0, 0, 0])
  expect(await stateOfFirst()).not.toBe('ready')
})

test('one of two falls silent, is killed, and comes back: only the first event pays, and in the end both serve', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk([AT_ONCE, AT_ONCE], { clock })
  const [first] = desk.simulators
  const ask = async () => {
    const outcome = await desk.dispatcher.onEvent({ content: 'x' })
    expect(outcome).toHaveProperty('completion')
    return outcome.attempts.map(({ backend, result }) => `${backend} ${result}`)
  }
  await desk.dispatcher.health()
  await first.setFaults([{ fault: 'hang_before_headers', endpoint: 'any' }])
  expect(await ask()).toEqual(['b1 api_timeout', 'b2 completed'])
  for (let event = 0; event < 3; event++) expect(await ask()).toEqual(['b2 completed'])
  await first.kill()
  for (let event = 0; event < 3; event++) expect(await ask()).toEqual(['b2 completed'])
  await first.setFaults([])
  await first.startListening()
  await expect.poll(async () => (await desk.dispatcher.health()).backends[0]?.state).toBe('ready')
  expect((await Promise.all([ask(), ask()])).flat().sort()).toEqual(['b1 completed', 'b2 completed'])
  expect(desk.dispatcher.report().backends[0]).toMatchObject({ breaker: 'closed' })
})

test('the breaker opens after three events that a backend alone could not serve, and an answer closes it', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk([AT_ONCE], { ...PATIENT, clock, attempts: 1 })
  const [simulator] = desk.simulators
  const ask = () => desk.dispatcher.onEvent({ content: 'x', timeout_ms: 30_000 })
  await simulator.stopListening()
  for (let event = 0; event < 3; event++) expect(await ask()).toMatchObject({ error: 'api_connection_error' })
  expect((await desk.dispatcher.health()).backends[0]).toMatchObject({ state: 'down' })
  expect(desk.dispatcher.report().backends[0]).toMatchObject({ breaker: 'open' })
  await simulator.startListening()
  // It is the only one: the next event is the trial, whatever the breaker says.
  expect(await ask()).toHaveProperty('completion')
  expect((await desk.dispatcher.health()).backends[0]).toMatchObject({ state: 'ready' })
  expect(desk.dispatcher.report().backends[0]).toMatchObject({ breaker: 'closed' })
})

test('a killed backend leaves its events to the other one, and is used again when it is back', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk([AT_ONCE, { ...AT_ONCE, model: 'koboldcpp/simulator' }], {
    ...PATIENT,
    clock,
  })
  const [first] = desk.simulators
  const ask = () => desk.dispatcher.onEvent({ content: 'x' })
  await desk.dispatcher.health()
  await first.kill()
  for (let event = 0; event < 5; event++) expect(await ask()).toMatchObject({ backend: 'b2' })
  await first.startListening()
  await expect.poll(async () => (await desk.dispatcher.health()).backends[0]?.state).toBe('ready')
  const outcomes = await Promise.all([ask(), ask()])
  expect(outcomes.map((outcome) => 'backend' in outcome && outcome.backend).sort()).toEqual(['b1', 'b2'])
})

test('one that is back is used again, though its events could go to another and nobody asks how it is', async () => {
  await using desk = await openDesk([AT_ONCE, AT_ONCE], { probeIntervalMs: 20 })
  const [first] = desk.simulators
  const askTwice = async () => {
    const outcomes = await Promise.all([1, 2].map(() => desk.dispatcher.onEvent({ content: 'x' })))
    return outcomes.map((outcome) => 'backend' in outcome && outcome.backend).sort()
  }
  expect(await askTwice()).toEqual(['b1', 'b2'])
  await first.kill()
  expect(await askTwice()).toEqual(['b2', 'b2'])
  await first.startListening()
  await expect.poll(askTwice).toEqual(['b1', 'b2'])
})

test('a backend that closes its port to load another model is waited for, not failed', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk([AT_ONCE], { ...PATIENT, clock })
  const [simulator] = desk.simulators
  expect(await desk.dispatcher.onEvent({ content: 'x' })).toMatchObject({ model: 'koboldcpp/simulator' })
  await simulator.loadModel('koboldcpp/other', 3_600_000)
  // Longer than all repeats, shorter than the grace.
  const loaded = sleep(clock, 15_000)
  const waiting = Promise.all([1, 2, 3].map(() => desk.dispatcher.onEvent({ content: 'x' })))
  await expect.poll(async () => (await desk.dispatcher.health()).backends[0]?.state).toBe('loading')
  await loaded
  await simulator.loadModel('koboldcpp/other')
  for (const outcome of await waiting) {
    expect(outcome).toMatchObject({ completion: expect.any(String), model: 'koboldcpp/other' })
  }
})

test('a backend that does not come back within the grace is down: new events fail, those that wait go on waiting', async () => {
  const clock = createScaledClock(FACTOR)
  await using desk = await openDesk([AT_ONCE], { ...PATIENT, clock })
  const [simulator] = desk.simulators
  const ask = () => desk.dispatcher.onEvent({ content: 'x', timeout_ms: 3_600_000 })
  const stateOfIt = async () => (await desk.dispatcher.health()).backends[0]?.state
  await ask()
  await simulator.stopListening()
  const waiting = Promise.all([ask(), ask()])
  await expect.poll(stateOfIt).toBe('down')
  // Enough of them to open the breaker: it must not send those that wait either.
  for (let event = 0; event < 3; event++) expect(await ask()).toMatchObject({ error: 'api_connection_error' })
  expect(desk.dispatcher.report()).toMatchObject({ line: { waiting: 2 }, backends: [{ breaker: 'open' }] })
  await simulator.startListening()
  for (const outcome of await waiting) {
    expect(outcome).toHaveProperty('completion')
    expect(outcome.duration_ms).toBeGreaterThanOrEqual(59_000)
  }
})

test('a grace that somebody has set ends the waiting', async () => {
  const clock = createScaledClock(200)
  await using desk = await openDesk([AT_ONCE], { ...PATIENT, clock, loadingGraceMs: 60_000 })
  const [simulator] = desk.simulators
  await desk.dispatcher.onEvent({ content: 'x' })
  await simulator.stopListening()
  // The clock runs on while a busy machine does something else.
  const outcome = await desk.dispatcher.onEvent({ content: 'x', timeout_ms: 3_600_000 })
  expect(outcome).toMatchObject({ error: 'api_connection_error' })
  expect(outcome.duration_ms).toBeGreaterThanOrEqual(59_000)
})

test('who waits for a backend that never comes back fails when its own time is up', async () => {
  const clock = createScaledClock(200)
  await using desk = await openDesk([AT_ONCE], { ...PATIENT, clock })
  const [simulator] = desk.simulators
  await desk.dispatcher.onEvent({ content: 'x' })
  await simulator.stopListening()
  const outcome = await desk.dispatcher.onEvent({ content: 'x', timeout_ms: 120_000 })
  expect(outcome).toMatchObject({ error: 'deadline_exceeded' })
  expect(outcome.duration_ms).toBeGreaterThanOrEqual(119_000)
})

test('a dead backend beside a ready one is not repeated', async () => {
  await using ready = await startKoboldSimulator(AT_ONCE)
  const dead = createKoboldBackend({ url: 'http://127.0.0.1:1', name: 'dead' })
  await using dispatcher = createDispatcher({
    backends: [dead, createKoboldBackend({ url: ready.url, name: 'ready' })],
  })
  const outcome = await dispatcher.onEvent({ content: 'x' })
  expect(outcome.attempts.map(({ backend, result }) => `${backend} ${result}`)).toEqual([
    'dead api_connection_error',
    'ready completed',
  ])
})
