import {
  createKoboldBackend,
  createOpenAIBackend,
  type DispatcherOptions,
  type EventOptions,
  type MessageInput,
} from '@ai-ticket/core'
import {
  type OpenAISimulatorOptions,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
  startOpenAISimulator,
} from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const CEILING: EventOptions = { maxTokensIsCeiling: true }
const story = (sentences: number) => 'A lamb ran over the green hill. '.repeat(sentences)

async function openKobold(
  simulated: StartKoboldSimulatorOptions = {},
  options: Partial<DispatcherOptions> = {},
) {
  const simulator = await startKoboldSimulator({ ...AT_ONCE, contextLength: 2_048, ...simulated })
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }), options)
}

async function openOpenAI(simulated: OpenAISimulatorOptions, options: Partial<DispatcherOptions> = {}) {
  const simulator = await startOpenAISimulator({ ...AT_ONCE, ...simulated })
  return deskOn(simulator, createOpenAIBackend({ url: simulator.url }), options)
}

const sent = (desk: { simulator: { calls: readonly { body: unknown }[] } }) =>
  desk.simulator.calls.at(-1)?.body as { max_tokens?: number }

const eventOf = (content: string, max_tokens?: number) => ({
  content,
  ...(max_tokens !== undefined && { parameters: { max_tokens } }),
})

test('a ceiling is cut to the room that the prompt leaves, and a little less', async () => {
  await using desk = await openKobold()
  const outcome = await desk.dispatcher.onEvent(eventOf(story(100), 32_000), CEILING)
  if (outcome.error !== undefined) throw new Error(outcome.details)
  const { max_tokens = 0 } = sent(desk)
  const room = 2_048 - (outcome.usage?.prompt_tokens ?? 0)
  expect(max_tokens).toBeLessThan(room)
  expect(max_tokens).toBeGreaterThan(room - 100)
})

test('a ceiling below the room is kept', async () => {
  await using desk = await openKobold()
  await desk.dispatcher.onEvent(eventOf('Hi', 300), CEILING)
  expect(sent(desk).max_tokens).toBe(300)
  await desk.dispatcher.onEvent(eventOf(story(100), 300), CEILING)
  expect(sent(desk).max_tokens).toBe(300)
})

test('without one the answer may have what is left of the context', async () => {
  await using desk = await openKobold()
  await desk.dispatcher.onEvent(eventOf('Hi'), CEILING)
  expect(sent(desk).max_tokens).toBeGreaterThan(1_800)
  expect(sent(desk).max_tokens).toBeLessThan(2_048)
  await desk.dispatcher.onEvent(eventOf(story(100)), CEILING)
  expect(sent(desk).max_tokens).toBeGreaterThan(700)
  expect(sent(desk).max_tokens).toBeLessThan(1_400)
})

test('up to what the operator allows', async () => {
  await using desk = await openKobold({}, { ceilingMaxTokens: 900 })
  await desk.dispatcher.onEvent(eventOf('Hi'), CEILING)
  expect(sent(desk).max_tokens).toBe(900)
  await desk.dispatcher.onEvent(eventOf('Hi', 1_200), CEILING)
  expect(sent(desk).max_tokens).toBe(1_200)
})

test('refused only where the prompt alone leaves no room, in words that can be followed', async () => {
  await using desk = await openKobold()
  const outcome = await desk.dispatcher.onEvent(eventOf(story(400), 32_000), CEILING)
  expect(outcome).toMatchObject({ error: 'context_length_exceeded' })
  const { details } = outcome as { details: string }
  expect(details).toMatch(/\d{4} tokens.*context holds 2048/)
  expect(details).not.toMatch(/32000|`context_policy`|`max_tokens`/)
  expect(desk.simulator.calls).toHaveLength(0)
})

test('without the option both are as ever', async () => {
  await using desk = await openKobold()
  await desk.dispatcher.onEvent(eventOf('Hi'))
  expect(sent(desk).max_tokens).toBe(512)
  expect(await desk.dispatcher.onEvent(eventOf(story(100), 32_000))).toMatchObject({
    error: 'context_length_exceeded',
    details: expect.stringContaining('32000'),
  })
})

test('drop_oldest makes room for an answer worth the name', async () => {
  await using desk = await openKobold({}, { contextPolicy: 'drop_oldest' })
  const turn = (content: string) => ({ role: 'user', content }) as const
  const content = { messages: [turn(story(100)), turn(story(100)), turn('And then?')] }
  const outcome = await desk.dispatcher.onEvent({ content, parameters: { max_tokens: 32_000 } }, CEILING)
  expect(outcome).toHaveProperty('dropped_turns')
  expect(sent(desk).max_tokens).toBeGreaterThan(450)
})

test('with the policy off nothing is refused, but a ceiling is cut all the same', async () => {
  await using desk = await openKobold({}, { contextPolicy: 'off' })
  await desk.dispatcher.onEvent(eventOf(story(100), 32_000), CEILING)
  expect(sent(desk).max_tokens).toBeLessThan(1_400)
  expect(await desk.dispatcher.onEvent(eventOf(story(400), 32_000), CEILING)).toHaveProperty('completion')
  expect(sent(desk).max_tokens).toBeLessThan(2_048)
})

test('where nothing counts the room is estimated', async () => {
  await using desk = await openKobold({
    faults: [{ fault: 'status', status: 500, endpoint: 'tokencount' }],
  })
  await desk.dispatcher.onEvent(eventOf(story(100), 32_000), CEILING)
  const { max_tokens = 0 } = sent(desk)
  expect(max_tokens).toBeGreaterThan(400)
  expect(max_tokens).toBeLessThan(1_400)
})

test('a server whose context nobody knows uses its own limit', async () => {
  await using desk = await openOpenAI({ flavour: 'hosted' })
  await desk.dispatcher.onEvent(eventOf('Hi'), CEILING)
  expect(sent(desk)).not.toHaveProperty('max_tokens')
  await desk.dispatcher.onEvent(eventOf('Hi', 32_000), CEILING)
  expect(sent(desk).max_tokens).toBe(32_000)
  await desk.dispatcher.onEvent(eventOf('Hi'))
  expect(sent(desk).max_tokens).toBe(512)
})

test('a ceiling is no forecast: an event is not refused for an answer that nobody expects', async () => {
  await using desk = await openKobold({
    tokensPerSecond: 2_000,
    contextLength: 100_000,
    answer: () => 'Yes.',
  })
  for (let index = 0; index < 4; index++) await desk.dispatcher.onEvent(eventOf('Hi', 8))
  const event = { ...eventOf('Hi', 90_000), timeout_ms: 2_000 }
  // The first is tried in any case.
  for (let index = 0; index < 2; index++) {
    expect(await desk.dispatcher.onEvent(event, CEILING)).toHaveProperty('completion')
  }
})

test.each<
  [string, { options?: EventOptions; max_tokens?: number; tuning?: Partial<DispatcherOptions> }, RegExp]
>([
  ['the caller', { max_tokens: 20 }, /`max_tokens` \(20\).*raise `max_tokens`/],
  ['the desk', {}, /desk's own limit of 512 tokens.*set `max_tokens`/],
  [
    'the operator',
    { options: CEILING, tuning: { ceilingMaxTokens: 30 } },
    /limit of 30 tokens.*set `max_tokens`/,
  ],
  ['the context', { options: CEILING, max_tokens: 32_000 }, /filled the context/],
])(
  'an answer that is cut says who set its limit: %s',
  async (_who, { options, max_tokens, tuning }, words) => {
    await using desk = await openKobold({ answer: () => `{"a":[${'1,'.repeat(9_000)}` }, tuning)
    const outcome = await desk.dispatcher.onEvent(
      { ...eventOf('Count', max_tokens), schema: { type: 'object' } },
      options,
    )
    expect(outcome).toMatchObject({ error: 'output_schema_mismatch', details: expect.stringMatching(words) })
  },
)

const tools = (bytes: number) => [
  {
    type: 'function',
    function: { name: 'now', description: 'x'.repeat(bytes), parameters: { type: 'object' } },
  },
]

test('tools are counted: 100 kB of them do not fit', async () => {
  await using desk = await openKobold({ contextLength: 8_192 })
  for (const options of [{}, CEILING]) {
    const outcome = await desk.dispatcher.onEvent(
      { content: 'Hi', parameters: { tools: tools(100_000) } },
      options,
    )
    expect(outcome).toMatchObject({
      error: 'context_length_exceeded',
      details: expect.stringContaining('tools'),
    })
  }
  expect(desk.simulator.calls).toHaveLength(0)
})

test('tools take their share of the room', async () => {
  await using desk = await openKobold({ contextLength: 8_192 })
  const event = { content: 'Hi', parameters: { tools: tools(15_000), max_tokens: 32_000 } }
  expect(await desk.dispatcher.onEvent(event, CEILING)).toHaveProperty('completion')
  expect(sent(desk).max_tokens).toBeLessThan(3_200)
})

test('calls of tools in the conversation are counted, too', async () => {
  await using desk = await openKobold({ contextLength: 8_192 })
  const call = { id: 'call_1', type: 'function', function: { name: 'now', arguments: 'x'.repeat(100_000) } }
  const messages: MessageInput[] = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
  ]
  expect(await desk.dispatcher.onEvent({ content: { messages } })).toMatchObject({
    error: 'context_length_exceeded',
  })
})

test('KoboldCPP is never asked to count with tools, which kills it', async () => {
  const simulator = await startKoboldSimulator({ ...AT_ONCE, contextLength: 8_192 })
  const counts: string[] = []
  const watch: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.url.includes('tokencount')) counts.push(await request.clone().text())
    return fetch(request)
  }
  await using desk = deskOn(simulator, createKoboldBackend({ url: simulator.url, fetch: watch }))
  await desk.dispatcher.onEvent({ content: story(300), parameters: { tools: tools(9_000) } }, CEILING)
  expect(counts.length).toBeGreaterThan(0)
  for (const body of counts) expect(body).not.toContain('tools')
})

test.each(['llama.cpp', 'vllm'] as const)('%s counts tools by its own template', async (flavour) => {
  await using desk = await openOpenAI({ flavour, contextLength: 8_192 })
  const outcome = await desk.dispatcher.onEvent({ content: 'Hi', parameters: { tools: tools(100_000) } })
  expect(outcome).toMatchObject({ error: 'context_length_exceeded' })
})
