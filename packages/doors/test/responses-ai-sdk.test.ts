import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, generateText, Output, stepCountIs, streamText } from 'ai'
import { expect, test } from 'vitest'
import { AT_ONCE, CALL, CITY, collect, onError, weather } from './ai-sdk.ts'
import { openResponsesServer } from './open-responses-server.ts'

/** As it comes: its default is Responses, and `store` is not said. */
const modelOf = ({ origin }: { origin: string }, fetcher = fetch) =>
  createOpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', fetch: fetcher })('local')

const messagesOf = (call: { readonly body?: unknown } | undefined) =>
  (call?.body as { readonly messages?: unknown } | undefined)?.messages

test('a text', async () => {
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer: () => 'Good day.' } })
  const { text, finishReason, usage, warnings } = await generateText({ model: modelOf(at), prompt: 'Hello' })
  expect({ text, finishReason, warnings }).toEqual({ text: 'Good day.', finishReason: 'stop', warnings: [] })
  expect(usage.outputTokens).toBe(at.simulator.calls[0]?.tokensGenerated)
  expect(usage.inputTokens).toBeGreaterThan(0)
})

test('a stream', async () => {
  await using at = await openResponsesServer({
    simulated: { tokensPerSecond: 8, answer: () => 'One two three.' },
  })
  const result = streamText({ model: modelOf(at), prompt: 'Hello' })
  const pieces = await collect(result.textStream)
  expect(pieces.length).toBeGreaterThan(1)
  expect(pieces.join('')).toBe('One two three.')
  expect(await result.finishReason).toBe('stop')
  expect((await result.usage).outputTokens).toBe(at.simulator.calls[0]?.tokensGenerated)
})

/** A whole answer of KoboldCPP with a call has no text beside it. */
test.each([
  ['whole', null],
  ['stream', 'Let me look.'],
])('two turns with a tool: %s', async (kind, content) => {
  const answer = ({ messages = [] }: { messages?: readonly unknown[] }) =>
    messages.length < 3
      ? { text: 'Let me look.', reasoning: 'Which city?', toolCalls: [CALL] }
      : 'It is sunny.'
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer } })
  const sent: string[] = []
  const watched: typeof fetch = (input, init) => {
    sent.push(String(init?.body))
    return fetch(input, init)
  }
  const asked = { model: modelOf(at, watched), prompt: 'Hello', tools: { weather }, stopWhen: stepCountIs(3) }
  const text = kind === 'whole' ? (await generateText(asked)).text : await streamText(asked).text
  expect(text).toBe('It is sunny.')
  // It names what it believes to be stored, and does not send it again.
  expect(sent[1]).toContain('"type":"item_reference"')
  expect(sent[1]).not.toContain('Let me look.')
  expect(messagesOf(at.simulator.calls[1])).toEqual([
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content, tool_calls: [CALL] },
    { role: 'tool', tool_call_id: 'call_1', content: 'Sun in Graz' },
  ])
})

test('a conversation that goes on with what was said before', async () => {
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer: () => 'Good day.' } })
  const model = modelOf(at)
  const hello = { role: 'user' as const, content: 'Hello' }
  const first = await generateText({ model, messages: [hello] })
  const messages = [hello, ...first.response.messages, { role: 'user' as const, content: 'And now?' }]
  await generateText({ model, messages })
  expect(messagesOf(at.simulator.calls[1])).toEqual([
    hello,
    { role: 'assistant', content: 'Good day.' },
    { role: 'user', content: 'And now?' },
  ])
})

test('with `store: false` it sends everything again', async () => {
  await using at = await openResponsesServer({
    simulated: { ...AT_ONCE, answer: () => 'Good day.' },
    history: 'off',
  })
  const asked = { model: modelOf(at), providerOptions: { openai: { store: false } } }
  const hello = { role: 'user' as const, content: 'Hello' }
  const first = await generateText({ ...asked, messages: [hello] })
  const messages = [hello, ...first.response.messages, { role: 'user' as const, content: 'And now?' }]
  await generateText({ ...asked, messages })
  expect(messagesOf(at.simulator.calls[1])).toEqual([
    hello,
    { role: 'assistant', content: 'Good day.' },
    { role: 'user', content: 'And now?' },
  ])
})

test('where nothing is stored, the second turn says which item is missing and what to do', async () => {
  await using at = await openResponsesServer({
    simulated: { ...AT_ONCE, answer: () => 'Good day.' },
    history: 'off',
  })
  const model = modelOf(at)
  const hello = { role: 'user' as const, content: 'Hello' }
  const first = await generateText({ model, messages: [hello] })
  const failed = await generateText({
    model,
    messages: [hello, ...first.response.messages, hello],
    maxRetries: 0,
  }).catch((error) => error)
  expect(failed).toBeInstanceOf(APICallError)
  expect(failed).toMatchObject({ statusCode: 404, isRetryable: false })
  expect(failed.message).toMatch(/There is no item msg_.*`store`/)
})

/** It shows summaries of thoughts only, and a local model gives none. */
test.each(['whole', 'stream'])('thoughts stay out of the text: %s', async (kind) => {
  const answer = () => '<think>Two and two.</think>Four.'
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer } })
  const asked = { model: modelOf(at), prompt: 'Sum' }
  const result = kind === 'whole' ? await generateText(asked) : streamText(asked)
  expect(await result.text).toBe('Four.')
})

test.each(['whole', 'stream'])('an answer by a schema: %s', async (kind) => {
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answerJson: { city: 'Ulm' } } })
  const asked = { model: modelOf(at), prompt: 'Where?', output: Output.object({ schema: CITY }) }
  const output = kind === 'whole' ? (await generateText(asked)).output : await streamText(asked).output
  expect(output).toEqual({ city: 'Ulm' })
})

test('a caller who hangs up stops the backend', async () => {
  await using at = await openResponsesServer({
    simulated: { tokensPerSecond: 20, answer: () => 'word '.repeat(400) },
  })
  const controller = new AbortController()
  const { signal } = controller
  const result = streamText({ model: modelOf(at), prompt: 'Hello', abortSignal: signal, onError })
  const read = collect(result.textStream).catch(() => {})
  await at.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  controller.abort()
  await read
  await at.simulator.waitFor(({ generating }) => !generating)
  expect(at.simulator.calls[0]).toMatchObject({ state: 'aborted' })
})

test('a backend that dies in mid-stream is an error, and not an answer', async () => {
  await using at = await openResponsesServer({
    simulated: {
      tokensPerSecond: 100,
      answer: () => 'word '.repeat(50),
      faults: [{ fault: 'reset_mid_chunk', afterTokens: 5 }],
    },
  })
  const result = streamText({ model: modelOf(at), prompt: 'Hello', onError })
  const parts = await collect(result.stream)
  expect(parts.map(({ type }) => type)).toContain('text-delta')
  expect(parts.find(({ type }) => type === 'error')).toMatchObject({
    error: { message: 'Backend b1 (chat) broke its stream off before the answer was whole.' },
  })
  expect(await result.finishReason).toBe('error')
})

test('one that the operator cancels in mid-stream is an error, and not an answer', async () => {
  await using at = await openResponsesServer({
    simulated: { tokensPerSecond: 20, answer: () => 'word '.repeat(400) },
  })
  const result = streamText({ model: modelOf(at), prompt: 'Hello', onError })
  const read = collect(result.stream)
  await at.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  const [running] = at.dispatcher.line().running
  await at.dispatcher.inHand(running?.hand ?? '')?.cancel()
  const parts = await read
  expect(parts.map(({ type }) => type)).toContain('text-delta')
  expect(parts.find(({ type }) => type === 'error')).toBeDefined()
  expect(await result.finishReason).toBe('error')
})
