import Anthropic, { APIError, BadRequestError, InternalServerError, NotFoundError } from '@anthropic-ai/sdk'
import { expect, test } from 'vitest'
import { anthropicDoor } from '../src/anthropic/anthropic-door.ts'
import { openDoor } from './open-door.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const HI: Anthropic.MessageCreateParamsNonStreaming = {
  model: 'any',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hello' }],
}
const WEATHER: Anthropic.Tool = {
  name: 'weather',
  description: 'The weather now',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
const CALL = {
  id: 'call_1',
  type: 'function',
  function: { name: 'weather', arguments: '{"city":"Graz"}' },
}
const PNG = 'iVBORw0KGgo='

const open = (options: Parameters<typeof openDoor>[1] = {}) =>
  openDoor(anthropicDoor, { simulator: AT_ONCE, ...options })

const clientOf = ({ url }: { url: string }, options: object = {}) =>
  new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0, ...options })

/** What a promise rejects with. */
const errorOf = (promise: Promise<unknown>): Promise<APIError> =>
  promise.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error) => error,
  )

test('a message', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, answer: () => 'Good day.' } })
  const message = await clientOf(desk).messages.create({
    ...HI,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    // Its types have these no more, and other clients send them.
    ...({ temperature: 0.1, top_k: 40 } as object),
    stop_sequences: ['END'],
    metadata: { user_id: 'u1' },
  })
  expect(message).toMatchObject({
    id: expect.stringMatching(/^msg_[0-9a-f-]{36}$/),
    model: 'koboldcpp/simulator',
    content: [{ type: 'text', text: 'Good day.' }],
    stop_reason: 'end_turn',
  })
  const [call] = desk.simulator.calls
  expect(message.usage.output_tokens).toBe(call?.tokensGenerated)
  expect(message.usage.input_tokens).toBeGreaterThan(0)
  expect(message._request_id).toMatch(/^[0-9a-f-]{36}$/)
  const sampling = { temperature: 0.1, top_k: 40, stop: ['END'], max_tokens: 100 }
  const messages = [{ role: 'system', content: 'Be brief.' }, HI.messages[0]]
  expect(call?.body).toMatchObject({ messages, ...sampling })
  expect(call?.body).not.toHaveProperty('metadata')
})

test('a stream, by the helper and in a loop of one’s own', async () => {
  await using desk = await open({ simulator: { tokensPerSecond: 8, answer: () => 'One two three.' } })
  const { messages } = clientOf(desk)
  const pieces: string[] = []
  const message = await messages
    .stream(HI)
    .on('text', (text) => pieces.push(text))
    .finalMessage()
  expect(pieces.length).toBeGreaterThan(1)
  expect(message).toMatchObject({ content: [{ text: 'One two three.' }], stop_reason: 'end_turn' })
  expect(message.usage.output_tokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
  expect(message.usage.input_tokens).toBeGreaterThan(0)
  const types: string[] = []
  for await (const { type } of await messages.create({ ...HI, stream: true })) types.push(type)
  expect(types.at(0)).toBe('message_start')
  expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop'])
})

test.each(['whole', 'stream'])('two turns with a tool: %s', async (kind) => {
  const answer = ({ messages = [] }: { messages?: readonly unknown[] }) =>
    messages.length < 3 ? { text: '', toolCalls: [CALL] } : 'It is sunny.'
  await using desk = await open({ simulator: { ...AT_ONCE, answer } })
  const { messages } = clientOf(desk)
  const ask = (more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {}) => {
    const params = { ...HI, tools: [WEATHER], tool_choice: { type: 'auto' } as const, ...more }
    return kind === 'whole' ? messages.create(params) : messages.stream(params).finalMessage()
  }
  const first = await ask()
  expect(first.stop_reason).toBe('tool_use')
  expect(first.content).toMatchObject([
    { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Graz' } },
  ])
  const second = await ask({
    messages: [
      ...HI.messages,
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'Sun' }] },
    ],
  })
  expect(second).toMatchObject({ content: [{ text: 'It is sunny.' }], stop_reason: 'end_turn' })
  const [asked, answered] = desk.simulator.calls.map(({ body }) => body)
  const { name, description, input_schema } = WEATHER
  const tool = { type: 'function', function: { name, description, parameters: input_schema } }
  expect(asked).toMatchObject({ tools: [tool], tool_choice: 'auto' })
  expect(answered).toMatchObject({
    messages: [
      HI.messages[0],
      { role: 'assistant', content: null, tool_calls: [CALL] },
      { role: 'tool', tool_call_id: 'call_1', content: 'Sun' },
    ],
  })
})

test('an image goes along as data, never as an address', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, vision: true } })
  const { messages } = clientOf(desk)
  const ask = (source: Anthropic.ImageBlockParam['source']) =>
    messages.create({
      ...HI,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image', source },
          ],
        },
      ],
    })
  await ask({ type: 'base64', media_type: 'image/png', data: PNG })
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [{ content: [{ type: 'text' }, { image_url: { url: `data:image/png;base64,${PNG}` } }] }],
  })
  const refused = await errorOf(ask({ type: 'url', url: 'http://127.0.0.1/secret.png' }))
  expect(refused).toBeInstanceOf(BadRequestError)
  expect(refused.message).toContain('`messages[0].content[1].source.type` must be base64')
  expect(desk.simulator.calls).toHaveLength(1)
})

test.each(['whole', 'stream'])(
  'thoughts are a block of their own, unless they are not wanted: %s',
  async (kind) => {
    const answer = () => '<think>Two and two.</think>Four.'
    await using desk = await open({ simulator: { ...AT_ONCE, answer } })
    const { messages } = clientOf(desk)
    const ask = (thinking: Anthropic.ThinkingConfigParam) => {
      const params = { ...HI, max_tokens: 2_000, thinking }
      return kind === 'whole' ? messages.create(params) : messages.stream(params).finalMessage()
    }
    const shown = await ask({ type: 'enabled', budget_tokens: 1_024 })
    expect(shown.content).toMatchObject([
      { type: 'thinking', thinking: 'Two and two.' },
      { type: 'text', text: 'Four.' },
    ])
    const { content } = await ask({ type: 'disabled' })
    expect(content).toMatchObject([{ type: 'text', text: 'Four.' }])
    expect(content).toHaveLength(1)
  },
)

test('an answer by a schema', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, answerJson: { city: 'Ulm' } } })
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const message = await clientOf(desk).messages.create({
    ...HI,
    output_config: { format: { type: 'json_schema', schema } },
  })
  expect(message.content).toMatchObject([{ type: 'text', text: '{"city":"Ulm"}' }])
  // As it is or as a grammar, whichever the backend obeys.
  expect(JSON.stringify(desk.simulator.calls[0]?.body)).toContain('city')
})

test('max_tokens is a ceiling: it is cut to the room that the prompt leaves', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, contextLength: 2_048 } })
  const { messages } = clientOf(desk)
  await messages.stream({ ...HI, max_tokens: 32_000 }).finalMessage()
  const [call] = desk.simulator.calls as readonly { body: { max_tokens: number } }[]
  expect(call?.body.max_tokens).toBeLessThan(2_048)
  expect(call?.body.max_tokens).toBeGreaterThan(1_500)
})

test('a prompt that is too long is refused in the words that Claude Code knows', async () => {
  await using desk = await open({ simulator: { ...AT_ONCE, contextLength: 2_048 } })
  const content = 'word '.repeat(3_000)
  const { messages } = clientOf(desk)
  const refused = await errorOf(messages.create({ ...HI, messages: [{ role: 'user', content }] }))
  expect(refused.status).toBe(400)
  const { message } = (refused.error as { error: { message: string } }).error
  expect(message).toMatch(/^prompt is too long: \d+ tokens > 2048 maximum$/)
  expect(Number(/\d+/.exec(message)?.[0])).toBeGreaterThan(2_048)
  expect(desk.simulator.calls).toHaveLength(0)
})

test('tokens are counted, and nothing is generated', async () => {
  await using desk = await open()
  const { messages } = clientOf(desk)
  const asked = { model: 'any', system: 'Be brief.', messages: HI.messages }
  const { input_tokens } = await messages.countTokens({ ...asked, tools: [WEATHER] })
  const without = await messages.countTokens(asked)
  expect(desk.simulator.calls).toHaveLength(0)
  expect(without.input_tokens).toBeLessThan(input_tokens)
  const answered = await messages.create({ ...HI, system: 'Be brief.' })
  expect(answered.usage.input_tokens).toBe(without.input_tokens)
  const refused = await errorOf(messages.countTokens({ ...asked, messages: [] }))
  expect(refused).toMatchObject({ status: 400, type: 'invalid_request_error' })
})

test('a count takes no slot: it comes while the only one is busy', async () => {
  await using desk = await open({ simulator: { tokensPerSecond: 20, answer: () => 'word '.repeat(100) } })
  const { messages } = clientOf(desk)
  const controller = new AbortController()
  const running = errorOf(messages.create(HI, { signal: controller.signal }))
  await desk.simulator.waitFor(({ generating }) => generating)
  const { input_tokens } = await messages.countTokens({ model: 'any', messages: HI.messages })
  expect(input_tokens).toBeGreaterThan(0)
  expect(desk.simulator.generating).toBe(true)
  controller.abort()
  await running
})

test('the models, listed and looked up', async () => {
  await using desk = await open()
  const { models } = clientOf(desk)
  const ids: string[] = []
  for await (const { id } of models.list({ limit: 1_000 })) ids.push(id)
  expect(ids).toEqual(['koboldcpp/simulator', 'default'])
  expect(await models.retrieve('koboldcpp/simulator')).toMatchObject({ id: 'koboldcpp/simulator' })
  expect(await errorOf(models.retrieve('claude'))).toBeInstanceOf(NotFoundError)
})

test('keys: as Bearer, as the client has it, and as X-Api-Key; no key is told in its words', async () => {
  await using desk = await open({ server: { apiKeys: ['secret'] } })
  await clientOf(desk, { apiKey: 'secret' }).messages.create(HI)
  await clientOf(desk, { apiKey: null, defaultHeaders: { 'x-api-key': 'secret' } }).messages.create(HI)
  const refused = await errorOf(clientOf(desk, { apiKey: 'wrong' }).messages.create(HI))
  expect(refused).toMatchObject({ status: 401, type: 'authentication_error' })
  expect(refused.requestID).toMatch(/^[0-9a-f-]{36}$/)
})

test.each(['whole', 'stream'])('a caller who hangs up stops the backend: %s', async (kind) => {
  await using desk = await open({ simulator: { tokensPerSecond: 20, answer: () => 'word '.repeat(400) } })
  const { messages } = clientOf(desk)
  const controller = new AbortController()
  const { signal } = controller
  const asked = errorOf(
    kind === 'whole' ? messages.create(HI, { signal }) : messages.stream(HI, { signal }).finalMessage(),
  )
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  controller.abort()
  await asked
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.calls[0]?.tokensGenerated).toBeLessThan(100)
  expect(desk.simulator.calls[0]?.state).toBe('aborted')
})

test('a full line is 529, with a time to come back, and the client may try again', async () => {
  await using desk = await open({
    simulator: { tokensPerSecond: 20, answer: () => 'word '.repeat(100) },
    dispatcher: { lineCapacity: 1 },
  })
  const { messages } = clientOf(desk)
  const controller = new AbortController()
  const first = errorOf(messages.create(HI, { signal: controller.signal }))
  await desk.simulator.waitForCall()
  const second = errorOf(messages.create(HI, { signal: controller.signal }))
  await expect.poll(() => desk.dispatcher.report().line.waiting).toBe(1)
  const refused = await errorOf(messages.create(HI))
  expect(refused).toBeInstanceOf(InternalServerError)
  expect(refused).toMatchObject({ status: 529, type: 'overloaded_error' })
  expect(refused.headers?.get('x-should-retry')).toBe('true')
  expect(Number(refused.headers?.get('retry-after'))).toBeGreaterThan(0)
  controller.abort()
  await Promise.all([first, second])
})

test('a backend that is not there is no full line: the client is told not to repeat', async () => {
  await using desk = await open()
  await desk.simulator.stopListening()
  const refused = await errorOf(clientOf(desk, { maxRetries: 5 }).messages.create(HI))
  expect(refused).toMatchObject({ status: 503, type: 'api_error' })
  expect(refused.headers?.get('x-should-retry')).toBe('false')
  expect(refused.headers?.get('retry-after')).toMatch(/^\d+$/)
})

test('while the prompt is read, the head and pings keep the stream awake; the answer follows', async () => {
  await using desk = await open({
    simulator: { promptTokensPerSecond: 20, answer: () => 'Good day.' },
    server: { pingIntervalMs: 50 },
  })
  const reply = await fetch(`${desk.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...HI, stream: true }),
  })
  expect(reply.headers.get('request-id')).toBe(reply.headers.get('x-request-id'))
  const names = [...(await reply.text()).matchAll(/^event: (\w+)$/gm)].map(([, name]) => name)
  expect(names.slice(0, 3)).toEqual(['message_start', 'ping', 'ping'])
  expect(names.filter((name) => name === 'message_start')).toHaveLength(1)
  expect(names.at(-1)).toBe('message_stop')
  const message = await clientOf(desk).messages.stream(HI).finalMessage()
  expect(message.content).toMatchObject([{ type: 'text', text: 'Good day.' }])
})

test('a backend that dies in mid-stream is an error, in the helper and in a loop of one’s own', async () => {
  await using desk = await open({
    simulator: {
      tokensPerSecond: 100,
      answer: () => 'word '.repeat(50),
      faults: [{ fault: 'reset_mid_chunk', afterTokens: 5 }],
    },
  })
  const { messages } = clientOf(desk, { maxRetries: 2 })
  let text = ''
  const stream = messages.stream(HI).on('text', (piece) => {
    text += piece
  })
  const failed = await errorOf(stream.finalMessage())
  expect(text).not.toBe('')
  expect(failed).toBeInstanceOf(APIError)
  expect(failed.message).toContain('api_error')
  const loop = async () => {
    for await (const { type } of await messages.create({ ...HI, stream: true }))
      expect(type).not.toBe('message_stop')
  }
  expect(await errorOf(loop())).toBeInstanceOf(APIError)
})
