import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import {
  createVirtualClock,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
} from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { advanceUntil } from './ask-kobold.ts'
import { deskOn } from './desk-on.ts'

async function openDesk(simulated: StartKoboldSimulatorOptions, options: Partial<DispatcherOptions> = {}) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY, ...simulated })
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }), options)
}

const story = (sentences: number) => 'A lamb ran over the green hill. '.repeat(sentences)

test('a prompt longer than the context is refused with the numbers, and costs no generation', async () => {
  await using desk = await openDesk({ contextLength: 1_024 })
  const outcome = await desk.dispatcher.onEvent({ content: story(300) })
  expect(outcome).toMatchObject({ error: 'context_length_exceeded' })
  expect(outcome).toHaveProperty('details', expect.stringMatching(/\d{4} tokens .* context holds 1024/))
  expect(desk.simulator.calls).toHaveLength(0)
})

test('with cut_left a text is answered by its end, and the outcome says that it was cut', async () => {
  await using desk = await openDesk({ contextLength: 1_024 })
  const content = `The beginning. ${story(300)} The end.`
  const outcome = await desk.dispatcher.onEvent({ content, context_policy: 'cut_left' }, { continues: true })
  expect(outcome).toMatchObject({ completion: expect.any(String), prompt_truncated: true })
  const [sent] = desk.simulator.calls.map(({ body }) => JSON.stringify(body))
  expect(sent).toMatch(/ The end\."/)
  expect(sent).not.toContain('The beginning.')
})

test('with drop_oldest it is answered, and the dropped turns are named', async () => {
  await using desk = await openDesk({ contextLength: 1_024 }, { contextPolicy: 'drop_oldest' })
  const turn = (content: string) => ({ role: 'user', content }) as const
  const messages = [
    { role: 'system' as const, content: 'Be brief.' },
    turn(story(120)),
    turn(story(20)),
    turn('And then?'),
  ]
  const outcome = await desk.dispatcher.onEvent({ content: { messages } })
  expect(outcome).toMatchObject({ dropped_turns: [1], endpoint: 'chat' })
  const sent = desk.simulator.calls[0]?.body as { messages: unknown[] }
  expect(sent.messages).toHaveLength(3)
})

test('the policy of an event goes before that of the desk', async () => {
  await using desk = await openDesk({ contextLength: 1_024 })
  const outcome = await desk.dispatcher.onEvent({ content: story(300), context_policy: 'off' })
  expect(outcome).toHaveProperty('completion')
})

test('a server that cuts in silence is caught', async () => {
  await using desk = await openDesk({ faults: [{ fault: 'prompt_cut', keepTokens: 8 }] })
  expect(await desk.dispatcher.onEvent({ content: story(20) })).toMatchObject({ prompt_truncated: true })
})

test('on 1.76, whose counts are constants, nobody can know', async () => {
  await using desk = await openDesk({ version: '1.76', faults: [{ fault: 'prompt_cut', keepTokens: 8 }] })
  expect(await desk.dispatcher.onEvent({ content: story(20) })).not.toHaveProperty('prompt_truncated')
})

test('a backend that was away at the first look is asked for its context when it is back', async () => {
  const fast = { tokensPerSecond: Number.POSITIVE_INFINITY, contextLength: 1_024 }
  const { url, close } = await startKoboldSimulator(fast)
  await close()
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url })], probeIntervalMs: 1 })
  expect(await dispatcher.health()).toMatchObject({ status: 'degraded' })
  const simulator = await startKoboldSimulator({ ...fast, port: Number(new URL(url).port) })
  const outcome = await dispatcher.onEvent({ content: story(300) })
  await Promise.all([dispatcher.close(), simulator.close()])
  expect(outcome).toMatchObject({ error: 'context_length_exceeded' })
  expect(simulator.calls).toHaveLength(0)
})

test('a failing count switches the guard off for the event', async () => {
  await using desk = await openDesk({
    contextLength: 1_024,
    faults: [{ fault: 'status', status: 500, endpoint: 'tokencount' }],
  })
  expect(await desk.dispatcher.onEvent({ content: story(300) })).toHaveProperty('completion')
})

test('a count that never comes costs an event seconds, not its deadline', async () => {
  await using simulator = await startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    contextLength: 1_024,
  })
  const clock = createVirtualClock()
  const backend = createKoboldBackend({ url: simulator.url, clock })
  const silent = { ...backend, countTokens: () => new Promise<number>(() => {}) }
  const warnings: unknown[] = []
  await using dispatcher = createDispatcher({
    clock,
    backends: [silent],
    logger: { debug() {}, info() {}, warn: (_, fields) => warnings.push(fields), error() {} },
  })
  const outcome = await advanceUntil(
    clock,
    dispatcher.onEvent({ content: story(300), timeout_ms: 3_600_000 }),
  )
  expect(outcome).toHaveProperty('completion')
  expect(warnings).toContainEqual(expect.objectContaining({ details: expect.stringContaining('5000 ms') }))
})
