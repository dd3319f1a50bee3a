import type OpenAI from 'openai'
import { expect, test } from 'vitest'
import { openResponsesServer } from './open-responses-server.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const SLOW = { tokensPerSecond: 25, answer: () => 'word '.repeat(300) }
const ASKED = { model: 'any', input: 'Hello' }
const TOOLS: OpenAI.Responses.FunctionTool[] = [
  {
    type: 'function',
    name: 'now',
    description: 'The time',
    strict: true,
    parameters: { type: 'object', properties: {}, additionalProperties: false },
  },
]
const CALL = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } }

const messagesOf = (call: { readonly body?: unknown } | undefined) =>
  (call?.body as { readonly messages?: unknown } | undefined)?.messages

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

test('a whole response', async () => {
  await using at = await openResponsesServer({
    simulated: { ...AT_ONCE, answer: () => ({ text: 'Good day.', reasoning: 'Hm.' }) },
  })
  const response = await at.client().responses.create({
    ...ASKED,
    instructions: 'Be brief.',
    max_output_tokens: 20,
    temperature: 0.1,
    metadata: { a: 'b' },
  })
  expect(response).toMatchObject({
    id: expect.stringMatching(/^resp_[0-9a-f-]{36}$/),
    object: 'response',
    status: 'completed',
    model: 'koboldcpp/simulator',
    error: null,
    instructions: 'Be brief.',
    metadata: { a: 'b' },
    store: true,
    output_text: 'Good day.',
    output: [
      { type: 'reasoning', content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      { type: 'message', role: 'assistant', status: 'completed' },
    ],
  })
  const { input_tokens = 0, output_tokens = 0, total_tokens } = response.usage ?? {}
  expect(total_tokens).toBe(input_tokens + output_tokens)
  expect(at.simulator.calls[0]?.body).toMatchObject({
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ],
    max_tokens: 20,
    temperature: 0.1,
  })
})

test('a stream, by the helper and raw', async () => {
  await using at = await openResponsesServer({
    simulated: { ...AT_ONCE, answer: () => ({ text: 'One two three.', reasoning: 'Hm.' }) },
  })
  const helper = at.client().responses.stream(ASKED)
  const seen = await collect(helper)
  expect((await helper.finalResponse()).output_text).toBe('One two three.')
  expect(seen[0]?.type).toBe('response.created')
  expect(seen.at(-1)?.type).toBe('response.completed')
  const raw = await collect(await at.client().responses.create({ ...ASKED, stream: true }))
  expect(raw.map(({ sequence_number }) => sequence_number)).toEqual(raw.map((_, index) => index))
  const deltas = raw.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : []))
  expect(deltas.join('')).toBe('One two three.')
})

test('a tool, called and answered', async () => {
  await using at = await openResponsesServer({
    simulated: {
      ...AT_ONCE,
      answer: ({ messages = [] }) => (messages.length > 1 ? 'It is noon.' : { text: '', toolCalls: [CALL] }),
    },
  })
  const client = at.client()
  const first = await client.responses.create({ ...ASKED, tools: TOOLS, store: false })
  expect(first.output).toEqual([
    expect.objectContaining({ type: 'function_call', call_id: 'call_1', name: 'now', arguments: '{}' }),
  ])
  const second = await client.responses.create({
    model: 'any',
    tools: [...TOOLS, { type: 'web_search' }],
    input: [
      { role: 'user', content: 'Hello' },
      ...first.output.map((item) => item as OpenAI.Responses.ResponseFunctionToolCall),
      { type: 'function_call_output', call_id: 'call_1', output: '12:00' },
    ],
  })
  expect(second.output_text).toBe('It is noon.')
  expect(at.simulator.calls[1]?.body).toMatchObject({
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', tool_calls: [CALL] },
      { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
    ],
    tools: [{ type: 'function', function: { name: 'now' } }],
  })
  const streamed = await collect(await client.responses.create({ ...ASKED, tools: TOOLS, stream: true }))
  expect(streamed).toContainEqual(
    expect.objectContaining({
      type: 'response.output_item.done',
      item: expect.objectContaining({ call_id: 'call_1', arguments: '{}', status: 'completed' }),
    }),
  )
})

test('a conversation goes on by the id of the response before, without its instructions', async () => {
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer: () => 'Aye.' } })
  const client = at.client()
  const first = await client.responses.create({ ...ASKED, instructions: 'Speak like a pirate.' })
  // At once: the history has not written the first one yet.
  const second = await client.responses.create({
    ...ASKED,
    input: 'And now?',
    previous_response_id: first.id,
  })
  expect(second.previous_response_id).toBe(first.id)
  const third = await client.responses.create({
    model: 'any',
    instructions: 'Be brief.',
    input: 'Last one.',
    previous_response_id: second.id,
  })
  expect(third.instructions).toBe('Be brief.')
  expect(messagesOf(at.simulator.calls.at(-1))).toEqual([
    { role: 'system', content: 'Be brief.' },
    ...['Hello', 'Aye.', 'And now?', 'Aye.', 'Last one.'].map((content, index) => ({
      role: index % 2 === 0 ? 'user' : 'assistant',
      content,
    })),
  ])
  const again = await client.responses.retrieve(second.id)
  expect({ ...again, _request_id: '' }).toEqual({ ...second, _request_id: '' })
  const { data } = await client.responses.inputItems.list(second.id)
  expect(data).toMatchObject([
    { role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
    { role: 'assistant', content: [{ type: 'output_text', text: 'Aye.' }] },
    { role: 'user', content: [{ type: 'input_text', text: 'And now?' }] },
  ])
})

test('items of stored responses are known by their ids', async () => {
  await using at = await openResponsesServer({
    simulated: {
      ...AT_ONCE,
      answer: ({ messages = [] }) => (messages.length > 1 ? 'Noon.' : { text: '', toolCalls: [CALL] }),
    },
  })
  const client = at.client()
  const first = await client.responses.create({ ...ASKED, tools: TOOLS })
  await client.responses.create({
    model: 'any',
    input: [
      { role: 'user', content: 'Hello' },
      ...first.output.map(({ id = '' }) => ({ type: 'item_reference' as const, id: id ?? '' })),
      { type: 'function_call_output', call_id: 'call_1', output: '12:00' },
    ],
  })
  expect(messagesOf(at.simulator.calls[1])).toEqual([
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: null, tool_calls: [CALL] },
    { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
  ])
  const unknown = client.responses.create({
    model: 'any',
    input: [{ type: 'item_reference', id: 'msg_nowhere' }],
  })
  await expect(unknown).rejects.toMatchObject({
    status: 404,
    message: expect.stringContaining('msg_nowhere'),
  })
})

test('a schema', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }
  const response = await at.client().responses.create({
    ...ASKED,
    text: { format: { type: 'json_schema', name: 'city', schema, strict: true } },
  })
  expect(JSON.parse(response.output_text)).toEqual({ city: expect.any(String) })
  expect(response.text?.format).toMatchObject({ type: 'json_schema', name: 'city', schema })
})

test('in the background: at once, then polled, then deleted', async () => {
  await using at = await openResponsesServer({ simulated: { ...AT_ONCE, answer: () => 'Good day.' } })
  const client = at.client()
  const queued = await client.responses.create({ ...ASKED, background: true })
  expect(queued).toMatchObject({ status: 'queued', background: true, output: [] })
  let response = queued
  while (response.status === 'queued' || response.status === 'in_progress') {
    response = await client.responses.retrieve(queued.id)
  }
  expect(response).toMatchObject({ id: queued.id, status: 'completed', output_text: 'Good day.' })
  expect(await at.store.get(queued.id.replace('resp_', 'tkt_'))).toMatchObject({ kind: 'ticket' })
  await client.responses.delete(queued.id)
  await expect(client.responses.retrieve(queued.id)).rejects.toMatchObject({ status: 404 })
})

test('in the background, streamed: a reader goes and comes back, and nothing is missing or said twice', async () => {
  await using at = await openResponsesServer({
    simulated: { tokensPerSecond: 60, answer: () => Array.from({ length: 40 }, (_, n) => `w${n} `).join('') },
  })
  const client = at.client()
  const stream = await client.responses.create({ ...ASKED, background: true, stream: true })
  let [id, last, text] = ['', -1, '']
  for await (const event of stream) {
    if (event.type === 'response.created') id = event.response.id
    if (event.type === 'response.output_text.delta') text += event.delta
    last = event.sequence_number
    if (text.length > 20) break
  }
  expect(at.simulator.generating).toBe(true)
  const rest = await client.responses.retrieve(id, { stream: true, starting_after: last })
  const numbers = [last]
  for await (const event of rest) {
    if (event.type === 'response.output_text.delta') text += event.delta
    numbers.push(event.sequence_number)
  }
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  const { output_text } = await client.responses.retrieve(id)
  expect(text.trim()).toBe(output_text)
  // The helper asks for all of it again, and skips what it has by the numbers.
  const again = await collect(client.responses.stream({ response_id: id, starting_after: last }))
  expect(again.at(-1)).toMatchObject({ type: 'response.completed', sequence_number: numbers.at(-1) })
})

test('a background response is cancelled down to the backend, and cancelling again changes nothing', async () => {
  await using at = await openResponsesServer({ simulated: SLOW })
  const client = at.client()
  const { id } = await client.responses.create({ ...ASKED, background: true, stream: false })
  await at.simulator.waitForCall(1)
  const cancelled = await client.responses.cancel(id)
  expect(cancelled).toMatchObject({ id, status: 'cancelled' })
  expect(at.simulator.generating).toBe(false)
  expect(await client.responses.cancel(id)).toMatchObject({ status: 'cancelled' })
})

test('one that was answered at once cannot be cancelled', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const client = at.client()
  const { id } = await client.responses.create(ASKED)
  await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 })
})

test('a reader of a stream who hangs up stops the backend', async () => {
  await using at = await openResponsesServer({ simulated: SLOW })
  const stream = await at.client().responses.create({ ...ASKED, stream: true })
  for await (const event of stream) if (event.type === 'response.output_text.delta') break
  await at.simulator.waitFor(({ generating }) => !generating)
  expect(at.simulator.calls).toHaveLength(1)
})

test('a backend that dies in mid-stream: failed, with what there was', async () => {
  await using at = await openResponsesServer({
    simulated: SLOW,
  })
  const stream = await at.client().responses.create({ ...ASKED, stream: true })
  const events: OpenAI.Responses.ResponseStreamEvent[] = []
  for await (const event of stream) {
    events.push(event)
    if (event.type === 'response.output_text.delta' && events.length > 10) await at.simulator.close()
  }
  expect(events.at(-1)).toMatchObject({
    type: 'response.failed',
    response: { status: 'failed', error: { code: 'server_error' }, output: [{ status: 'incomplete' }] },
  })
})

test.each([
  ['no input', {}, 'input'],
  ['a stored prompt', { input: 'x', prompt: { id: 'p' } }, 'prompt'],
  ['a conversation', { input: 'x', conversation: 'c' }, 'conversation'],
  ['in the background and not stored', { input: 'x', background: true, store: false }, 'background'],
  ['an item of another kind', { input: [{ type: 'computer_call' }] }, 'input[0].type'],
  [
    'a file',
    { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] },
    'input[0].content[0].type',
  ],
  [
    'an image in a file',
    { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] },
    'input[0].content[0].image_url',
  ],
])('refused: %s', async (_name, body, param) => {
  await using at = await openResponsesServer({ simulated: AT_ONCE })
  const reply = await at.post('/v1/responses', body)
  expect(reply).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error', param } } })
  expect(at.simulator.calls).toHaveLength(0)
})

test('nothing is stored: it says so, and is not found again', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE, history: 'off' })
  const client = at.client()
  const response = await client.responses.create(ASKED)
  expect(response).toMatchObject({ store: false })
  await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 })
})

test('another key sees, cancels and goes on with nothing of it', async () => {
  const key = (name: string) => ({ key: `${name}-0123456789abcdef`, name, scopes: ['events' as const] })
  await using at = await openResponsesServer({
    simulated: { ...AT_ONCE, answer: () => 'Secret.' },
    server: { apiKeys: [key('one'), key('two')] },
  })
  const [one, two] = [at.client(key('one').key), at.client(key('two').key)]
  const { id, output } = await one.responses.create(ASKED)
  expect((await one.responses.retrieve(id)).output_text).toBe('Secret.')
  await expect(two.responses.retrieve(id)).rejects.toMatchObject({ status: 404 })
  await expect(two.responses.delete(id)).rejects.toMatchObject({ status: 404 })
  await expect(two.responses.create({ ...ASKED, previous_response_id: id })).rejects.toMatchObject({
    status: 404,
  })
  const reference = { type: 'item_reference' as const, id: output[0]?.id ?? '' }
  await expect(two.responses.create({ model: 'any', input: [reference] })).rejects.toMatchObject({
    status: 404,
  })
})

test('without tickets there is no background', async () => {
  await using at = await openResponsesServer({ simulated: AT_ONCE, tickets: false })
  const reply = at.client().responses.create({ ...ASKED, background: true })
  await expect(reply).rejects.toMatchObject({ status: 400, param: 'background' })
})
