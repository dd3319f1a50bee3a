import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, jsonSchema, Output, RetryError, streamText, tool } from 'ai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, collect, SLOW } from './openai-clients.ts'

const CITY = jsonSchema<{ city: string }>({
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
})

/** The AI SDK, as it comes, and every status that it got. */
function providerOf(desk: { baseURL: string }, apiKey = 'none') {
  const statuses: number[] = []
  const provider = createOpenAICompatible({
    name: 'desk',
    baseURL: desk.baseURL,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
    async fetch(input, init) {
      const reply = await fetch(input, init)
      statuses.push(reply.status)
      return reply
    },
  })
  return { provider, statuses }
}

// A completion model has no tools, and the SDK says so whenever it is used.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

/** Errors are looked for in the stream, not on the terminal. */
const onError = () => {}

test('a text, and what it cost', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, answer: () => ({ text: 'Good day.', reasoning: 'Hm.' }) }],
  })
  const { provider } = providerOf(desk)
  const { text, reasoningText, finishReason, usage, response } = await generateText({
    model: provider('any'),
    instructions: 'Be brief.',
    prompt: 'Hello',
    stopSequences: ['STOP'],
    maxOutputTokens: 20,
  })
  expect({ text, reasoningText, finishReason }).toEqual({
    text: 'Good day.',
    reasoningText: 'Hm.',
    finishReason: 'stop',
  })
  expect(usage.outputTokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
  expect(response.modelId).toBe('koboldcpp/simulator')
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }],
    stop: ['STOP'],
    max_tokens: 20,
  })
})

const COUNT = 'One two three four five six seven eight nine ten.'

test('a stream with usage', async () => {
  await using desk = await openDesk({
    // A second and a half in all: a busy machine joins tokens that come close together.
    simulators: [{ tokensPerSecond: 8, answer: () => COUNT }],
  })
  const { provider } = providerOf(desk)
  const result = streamText({ model: provider('any'), prompt: 'Count', onError })
  const deltas = await collect(result.textStream)
  expect(deltas.length).toBeGreaterThan(1)
  expect(deltas.join('')).toBe(COUNT)
  expect(await result.finishReason).toBe('stop')
  expect((await result.usage).outputTokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
})

test('a completion', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'there was a desk.' }] })
  const { provider } = providerOf(desk)
  const model = provider.completionModel('any')
  const whole = await generateText({ model, prompt: 'Once upon a time' })
  const streamed = streamText({ model, prompt: 'Once upon a time', onError })
  expect(whole.text).toBe('there was a desk.')
  expect(await streamed.text).toBe('there was a desk.')
})

test('a tool is called, its answer goes back, and the text comes', async () => {
  let asked = 0
  const toolCalls = [
    { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } },
  ]
  const answer = () => (asked++ === 0 ? { text: '', toolCalls } : 'It rains.')
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer }] })
  const { provider } = providerOf(desk)
  const first = await generateText({
    model: provider('any'),
    prompt: 'How is the weather in Ulm?',
    tools: { weather: tool({ inputSchema: CITY, execute: ({ city }) => `Rain in ${city}` }) },
    stopWhen: ({ steps }) => steps.length === 2,
  })
  expect(first.steps[0]?.toolCalls).toMatchObject([{ toolName: 'weather', input: { city: 'Ulm' } }])
  expect(first.text).toBe('It rains.')
  expect(desk.simulator.calls[1]?.body).toMatchObject({
    messages: [{}, { tool_calls: [{ id: 'call_1' }] }, { role: 'tool', tool_call_id: 'call_1' }],
  })
})

test('a streamed tool call arrives whole', async () => {
  const toolCalls = [
    { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Ulm"}' } },
  ]
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => ({ text: '', toolCalls }) }] })
  const { provider } = providerOf(desk)
  const tools = { weather: tool({ inputSchema: CITY, execute: () => 'Rain' }) }
  const result = streamText({ model: provider('any'), prompt: 'Weather?', tools, onError })
  expect(await result.toolCalls).toMatchObject([{ toolName: 'weather', input: { city: 'Ulm' } }])
  expect(await result.finishReason).toBe('tool-calls')
})

test('an object by a schema', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answerJson: { city: 'Ulm' } }] })
  const { provider } = providerOf(desk)
  const { output } = await generateText({
    model: provider('any'),
    prompt: 'Where?',
    output: Output.object({ schema: CITY }),
  })
  expect(output).toEqual({ city: 'Ulm' })
  // As `response_format` or as a grammar, whichever the backend obeys.
  expect(JSON.stringify(desk.simulator.calls[0]?.body)).toContain('city')
})

test('abort stops the backend by its key, long before its end', async () => {
  await using desk = await openDesk({ simulators: [SLOW] })
  const { provider } = providerOf(desk)
  const controller = new AbortController()
  const { stream } = streamText({
    model: provider('any'),
    prompt: 'Go on.',
    abortSignal: controller.signal,
    onError,
  })
  const parts = collect(stream)
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  controller.abort()
  expect((await parts).at(-1)?.type).toBe('abort')
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.aborts[0]?.genkey).toBe(desk.simulator.calls[0]?.genkey)
  expect(desk.simulator.calls[0]?.state).toBe('aborted')
})

test('a backend that dies in mid-stream is an error, never a clean end', async () => {
  await using desk = await openDesk({
    simulators: [{ tokensPerSecond: 200, faults: [{ fault: 'cut_stream', afterTokens: 5 }] }],
  })
  const { provider, statuses } = providerOf(desk)
  const { stream } = streamText({ model: provider('any'), prompt: 'Go on.', onError })
  const parts: { type: string }[] = []
  const reading = (async () => {
    for await (const part of stream) parts.push(part)
  })()
  // The reason comes as a part, and then the stream breaks off: no clean end at all.
  await expect(reading).rejects.toThrow()
  expect(parts.some(({ type }) => type === 'text-delta')).toBe(true)
  expect(parts.find(({ type }) => type === 'error')).toMatchObject({
    error: { code: 'api_stream_interrupted' },
  })
  expect(parts.some(({ type }) => type === 'finish')).toBe(false)
  expect(statuses).toEqual([200])
})

test('who repeats by the status alone does not get all the repeats of the desk each time', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, faults: [{ fault: 'status', status: 500, times: 1_000 }] }],
    dispatcher: { backoffBaseMs: 1, breakerFailures: 100 },
  })
  const { provider, statuses } = providerOf(desk)
  await expect(generateText({ model: provider('any'), prompt: 'Hi' })).rejects.toThrow()
  expect(statuses).toEqual([502, 502, 502])
  // Three events, each at three endpoints; the repeats beside that are those of one event.
  expect(desk.simulator.calls.length).toBeLessThanOrEqual(9 + 6)
})

test('where there is a choice, an unknown model is a 404 that is not repeated', async () => {
  await using desk = await openDesk({
    simulators: [
      { ...AT_ONCE, model: 'koboldcpp/tiny' },
      { ...AT_ONCE, model: 'koboldcpp/large' },
    ],
  })
  const { provider, statuses } = providerOf(desk)
  const error = await generateText({ model: provider('gpt-5'), prompt: 'Hi' }).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(APICallError)
  expect(error).toMatchObject({ statusCode: 404, message: expect.stringContaining('koboldcpp/large') })
  expect(statuses).toEqual([404])
})

test('a full line: comes back when it is told to', async () => {
  const answer = ({ text }: { text: string }) => (text.includes('Long') ? SLOW.answer() : 'Hi.')
  await using desk = await openDesk({
    simulators: [{ tokensPerSecond: 20, answer }],
    dispatcher: { lineCapacity: 0 },
  })
  const { provider, statuses } = providerOf(desk)
  const long = new AbortController()
  const running = generateText({ model: provider('any'), prompt: 'Long', abortSignal: long.signal }).catch(
    (error: unknown) => error,
  )
  await desk.simulator.waitForCall(1)
  const short = generateText({ model: provider('any'), prompt: 'Short' })
  await expect.poll(() => statuses, { interval: 5 }).toEqual([503])
  long.abort()
  await running
  expect((await short).text).toBe('Hi.')
  expect(statuses).toEqual([503, 200])
})

test('a wrong key is a 401', async () => {
  await using desk = await openDesk({ server: { apiKeys: ['sesame'] } })
  const ask = (key: string) => generateText({ model: providerOf(desk, key).provider('any'), prompt: 'Hi' })
  const error = await ask('guess').catch((thrown: unknown) => thrown)
  expect(RetryError.isInstance(error)).toBe(false)
  expect(error).toMatchObject({ statusCode: 401, message: expect.stringContaining('Bearer') })
  expect((await ask('sesame')).text).not.toBe('')
})
