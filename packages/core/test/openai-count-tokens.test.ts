import { createDispatcher, createOpenAIBackend, type GenerationRequest, type Logger } from '@ai-ticket/core'
import { type OpenAIFlavour, type OpenAISimulatorOptions, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const { signal } = new AbortController()

async function open(simulated: OpenAISimulatorOptions) {
  const simulator = await startOpenAISimulator({ tokensPerSecond: Number.POSITIVE_INFINITY, ...simulated })
  const backend = createOpenAIBackend({ url: simulator.url })
  const count = (turns: GenerationRequest['turns'] = [{ role: 'user', content: 'Hello' }]) => {
    const parameters = { max_tokens: 8, temperature: 0.7, top_p: 1 }
    return backend.countTokens?.({ key: 'job-1', turns, parameters }, signal)
  }
  const asked = () => simulator.requests.filter((request) => request.startsWith('POST'))
  return {
    simulator,
    backend,
    count,
    asked,
    async [Symbol.asyncDispose]() {
      await backend.close()
      await simulator.close()
    },
  }
}

/** What the simulator counts: JSON of the messages, four characters a token. */
const HELLO = Math.ceil(JSON.stringify([{ role: 'user', content: 'Hello' }]).length / 4)

test('vLLM counts messages with the tags of its template, for the model that is asked', async () => {
  await using server = await open({ flavour: 'vllm', models: ['qwen'] })
  await server.backend.probe(signal)
  expect(await server.count()).toBe(HELLO)
  expect(
    await server.count([
      { role: 'user', content: 'Hello' },
      { role: 'user', content: 'you' },
    ]),
  ).toBeGreaterThan(HELLO)
  expect(server.asked()).toEqual(['POST /tokenize', 'POST /tokenize'])
})

test('llama.cpp writes the messages as a text and counts that; once known, it is two requests', async () => {
  await using server = await open({ flavour: 'llama.cpp' })
  expect(await server.count()).toBe(HELLO)
  expect(await server.count()).toBe(HELLO)
  expect(server.asked().slice(3)).toEqual(['POST /apply-template', 'POST /tokenize'])
})

test('a llama.cpp too old for templates counts our transcript, and is asked for templates once', async () => {
  await using server = await open({ flavour: 'llama.cpp' })
  server.simulator.script([{ status: 404, body: 'File Not Found' }], '/apply-template')
  const first = await server.count([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
  ])
  expect(first).toBeGreaterThan(10)
  await server.count()
  expect(server.asked().filter((request) => request.endsWith('/apply-template'))).toHaveLength(1)
})

test.each(['ollama', 'hosted'] as const)('%s cannot count, and is asked once', async (flavour) => {
  await using server = await open({ flavour })
  expect([await server.count(), await server.count()]).toEqual([undefined, undefined])
  expect(server.asked()).toEqual(['POST /tokenize'])
})

test('LM Studio answers 200 to any path; an error in it is no count', async () => {
  await using server = await open({ flavour: 'hosted' })
  server.simulator.script([{ body: { error: 'Unexpected endpoint or method.' } }], '/tokenize')
  expect([await server.count(), await server.count()]).toEqual([undefined, undefined])
  expect(server.asked()).toHaveLength(1)
})

test.each([
  [400, { error: { message: 'This template takes no system message.' } }],
  [404, { error: { message: 'The model `x` does not exist.' } }],
  [503, 'busy'],
])('a %i is about this prompt, and the next one is counted again', async (status, body) => {
  await using server = await open({ flavour: 'vllm', models: ['qwen'] })
  await server.backend.probe(signal)
  server.simulator.script([{ status, body }], '/tokenize')
  expect(await server.count()).toBeUndefined()
  expect(await server.count()).toBe(HELLO)
})

test('a service with paths of its own is not asked', async () => {
  await using server = await open({ flavour: 'hosted' })
  const backend = createOpenAIBackend({ url: `${server.simulator.url}/v4` })
  const parameters = { max_tokens: 8, temperature: 0.7, top_p: 1 }
  const request = { key: 'job-1', turns: [{ role: 'user' as const, content: 'Hello' }], parameters }
  expect(await backend.countTokens?.(request, signal)).toBeUndefined()
  expect(server.asked()).toEqual([])
  await backend.close()
})

const story = (sentences: number) => 'A lamb ran over the green hill. '.repeat(sentences)

async function openDesk(flavour: OpenAIFlavour) {
  const server = await open({ flavour, models: ['qwen'], contextLength: 1_024 })
  const warnings: { message: string; fields: object | undefined }[] = []
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message, fields) => warnings.push({ message, fields }),
    error() {},
  }
  const dispatcher = createDispatcher({ backends: [server.backend], logger })
  return {
    ...server,
    dispatcher,
    warnings,
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await server.simulator.close()
    },
  }
}

test.each(['llama.cpp', 'vllm'] as const)(
  'what does not fit into the context of %s is refused by the desk',
  async (flavour) => {
    await using desk = await openDesk(flavour)
    const outcome = await desk.dispatcher.onEvent({ content: story(300) })
    expect(outcome).toMatchObject({ error: 'context_length_exceeded' })
    expect(outcome).toHaveProperty('details', expect.stringMatching(/\d{4} tokens .* context holds 1024/))
    expect(desk.simulator.calls).toEqual([])
  },
)

test.each(['llama.cpp', 'vllm'] as const)(
  '%s: with drop_oldest it is answered, and what was dropped is named',
  async (flavour) => {
    await using desk = await openDesk(flavour)
    const messages = [story(120), story(10), 'And then?'].map((content) => ({
      role: 'user' as const,
      content,
    }))
    const event = { content: { messages }, context_policy: 'drop_oldest' as const }
    expect(await desk.dispatcher.onEvent(event)).toMatchObject({ dropped_turns: [0] })
    expect(desk.simulator.calls[0]?.body.messages).toHaveLength(2)
  },
)

test('a server that cannot count gets the prompt as it is, and a warning says so once', async () => {
  await using desk = await openDesk('ollama')
  for (let event = 0; event < 3; event++) await desk.dispatcher.onEvent({ content: story(300) })
  expect(desk.simulator.calls).toHaveLength(3)
  expect(desk.warnings.filter(({ message }) => message !== 'event failed')).toEqual([
    {
      message: 'tokens could not be counted: a prompt that is too long is not refused',
      fields: expect.objectContaining({ backend: 'openai', event_id: expect.any(String) }),
    },
  ])
})
