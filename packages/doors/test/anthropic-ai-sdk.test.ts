import { createAnthropic } from '@ai-sdk/anthropic'
import { APICallError, generateText, Output, stepCountIs, streamText } from 'ai'
import { expect, test } from 'vitest'
import { anthropicDoor } from '../src/anthropic/anthropic-door.ts'
import { AT_ONCE, CALL, CITY, collect, onError, weather } from './ai-sdk.ts'
import { openDoor } from './open-door.ts'

const open = (options: Parameters<typeof openDoor>[1] = {}) =>
  openDoor(anthropicDoor, { simulator: AT_ONCE, ...options })

/** AI SDK's address has `/v1` in it; it shows the key as `x-api-key`. */
const modelOf = ({ url }: { url: string }) =>
  createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' })('local')

test('a text', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, answer: () => 'Good day.' } })
  const { text, finishReason, usage } = await generateText({ model: modelOf(desk), prompt: 'Hello' })
  expect({ text, finishReason }).toEqual({ text: 'Good day.', finishReason: 'stop' })
  expect(usage.outputTokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
  expect(usage.inputTokens).toBeGreaterThan(0)
})

test('a stream', async () => {
  await using desk = await open({ simulator: { tokensPerSecond: 8, answer: () => 'One two three.' } })
  const result = streamText({ model: modelOf(desk), prompt: 'Hello' })
  const pieces = await collect(result.textStream)
  expect(pieces.length).toBeGreaterThan(1)
  expect(pieces.join('')).toBe('One two three.')
  expect(await result.finishReason).toBe('stop')
  expect((await result.usage).outputTokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
})

test.each(['whole', 'stream'])('two turns with a tool: %s', async (kind) => {
  const answer = ({ messages = [] }: { messages?: readonly unknown[] }) =>
    messages.length < 3 ? { text: '', toolCalls: [CALL] } : 'It is sunny.'
  await using desk = await open({ simulator: { ...AT_ONCE, answer } })
  const asked = { model: modelOf(desk), prompt: 'Hello', tools: { weather }, stopWhen: stepCountIs(3) }
  const text = kind === 'whole' ? (await generateText(asked)).text : await streamText(asked).text
  expect(text).toBe('It is sunny.')
  expect(desk.simulator.calls[1]?.body).toMatchObject({
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: null, tool_calls: [CALL] },
      { role: 'tool', tool_call_id: 'call_1', content: 'Sun in Graz' },
    ],
  })
})

test('an image', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, vision: true } })
  const image = { type: 'file' as const, mediaType: 'image/png', data: Buffer.from('iVBORw0KGgo=', 'base64') }
  await generateText({
    model: modelOf(desk),
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, image] }],
  })
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [{ content: [{ type: 'text' }, { image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }],
  })
})

test.each(['whole', 'stream'])('thoughts are reasoning: %s', async (kind) => {
  const answer = () => '<think>Two and two.</think>Four.'
  await using desk = await open({ simulator: { ...AT_ONCE, answer } })
  const asked = { model: modelOf(desk), prompt: 'Sum' }
  const result = kind === 'whole' ? await generateText(asked) : streamText(asked)
  expect(await result.reasoningText).toBe('Two and two.')
  expect(await result.text).toBe('Four.')
})

test('an answer by a schema', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, answerJson: { city: 'Ulm' } } })
  const { output } = await generateText({
    model: modelOf(desk),
    prompt: 'Where?',
    output: Output.object({ schema: CITY }),
    providerOptions: { anthropic: { structuredOutputMode: 'outputFormat' } },
  })
  expect(output).toEqual({ city: 'Ulm' })
})

test('a caller who hangs up stops the backend', async () => {
  await using desk = await open({ simulator: { tokensPerSecond: 20, answer: () => 'word '.repeat(400) } })
  const controller = new AbortController()
  const result = streamText({
    model: modelOf(desk),
    prompt: 'Hello',
    abortSignal: controller.signal,
    onError,
  })
  const read = collect(result.textStream).catch(() => {})
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  controller.abort()
  await read
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.calls[0]).toMatchObject({ state: 'aborted' })
})

test('a refusal has its status and says whether to come back', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, contextLength: 2_048 } })
  const failed = await generateText({
    model: modelOf(desk),
    prompt: 'word '.repeat(3_000),
    maxRetries: 0,
  }).catch((error) => error)
  expect(failed).toBeInstanceOf(APICallError)
  expect(failed).toMatchObject({ statusCode: 400, isRetryable: false })
  expect(failed.message).toMatch(/^prompt is too long: \d+ tokens > 2048 maximum$/)
})

test('a backend that dies in mid-stream is an error', async () => {
  await using desk = await open({
    simulator: {
      tokensPerSecond: 100,
      answer: () => 'word '.repeat(50),
      faults: [{ fault: 'reset_mid_chunk', afterTokens: 5 }],
    },
  })
  const { stream } = streamText({ model: modelOf(desk), prompt: 'Hello', onError })
  const parts: { type: string }[] = []
  const reading = (async () => {
    for await (const part of stream) parts.push(part)
  })()
  // The reason comes as a part, and then the stream breaks off: no clean end at all.
  await expect(reading).rejects.toThrow()
  const types = parts.map(({ type }) => type)
  expect(types).toContain('text-delta')
  expect(parts.find(({ type }) => type === 'error')).toMatchObject({ error: { message: expect.any(String) } })
  expect(types).not.toContain('finish')
})
