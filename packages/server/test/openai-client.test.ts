import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
} from 'openai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const SLOW = { tokensPerSecond: 20, answer: () => 'word '.repeat(400) }
const HELLO = [{ role: 'user', content: 'Hello' }] satisfies OpenAI.ChatCompletionMessageParam[]
const HI = { model: 'any', messages: HELLO, max_tokens: 400 }
const TOOLS = [
  { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
] satisfies OpenAI.ChatCompletionTool[]
const CALL = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } }

/** The official client, as it comes; it waits between its own repeats as it likes. */
function clientOf(desk: { baseURL: string }, apiKey = 'none'): OpenAI {
  return new OpenAI({ baseURL: desk.baseURL, apiKey })
}

/** The same, and every status that it got with the headers that steer its repeats. */
function watchedClientOf(desk: { baseURL: string }) {
  const replies: { status: number; retryAfter: string | null; shouldRetry: string | null }[] = []
  const client = new OpenAI({
    baseURL: desk.baseURL,
    apiKey: 'none',
    async fetch(input, init) {
      const { status, headers, ...response } = await fetch(input, init).then((reply) => {
        replies.push({
          status: reply.status,
          retryAfter: reply.headers.get('retry-after'),
          shouldRetry: reply.headers.get('x-should-retry'),
        })
        return { status: reply.status, headers: reply.headers, reply }
      })
      return response.reply
    },
  })
  return { client, replies }
}

test('a chat', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'Good day.' }] })
  const answer = await clientOf(desk).chat.completions.create({
    model: 'any',
    messages: [{ role: 'developer', content: 'Be brief.' }, ...HELLO],
    temperature: 0.1,
    seed: 7,
    max_completion_tokens: 20,
    user: 'u1',
    metadata: { a: 'b' },
  })
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-[0-9a-f-]{36}$/),
    object: 'chat.completion',
    model: 'koboldcpp/simulator',
    choices: [{ message: { role: 'assistant', content: 'Good day.' }, finish_reason: 'stop' }],
  })
  expect(Math.abs(answer.created - Date.now() / 1_000)).toBeLessThan(60)
  const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = answer.usage ?? {}
  expect(completion_tokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
  expect(total_tokens).toBe(prompt_tokens + completion_tokens)
  expect(answer._request_id).toMatch(/^[0-9a-f-]{36}$/)
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [{ role: 'system', content: 'Be brief.' }, HELLO[0]],
    temperature: 0.1,
    seed: 7,
    max_tokens: 20,
  })
  expect(desk.simulator.calls[0]?.body).not.toHaveProperty('user')
})

test('a stream with usage', async () => {
  await using desk = await openDesk({
    simulators: [{ tokensPerSecond: 500, answer: () => 'One two three.' }],
  })
  const stream = await clientOf(desk).chat.completions.create({
    ...HI,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await Array.fromAsync(stream)
  const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.content ?? [])
  expect(deltas.length).toBeGreaterThan(2)
  expect(deltas.join('')).toBe('One two three.')
  expect(chunks.at(0)?.choices[0]?.delta.role).toBe('assistant')
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } })
  expect(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size).toBe(1)
})

test("the client's own helper puts a stream together", async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'One two three.' }] })
  const stream = clientOf(desk).chat.completions.stream({ ...HI, stream_options: { include_usage: true } })
  const answer = await stream.finalChatCompletion()
  expect(answer.choices[0]).toMatchObject({ message: { content: 'One two three.' }, finish_reason: 'stop' })
  expect(answer.usage?.completion_tokens).toBe(desk.simulator.calls[0]?.tokensGenerated)
})

test('usage that the server does not know is absent', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, version: '1.76' }] })
  const { chat } = clientOf(desk)
  const answer = await chat.completions.create(HI)
  const stream = chat.completions.stream({ ...HI, stream_options: { include_usage: true } })
  expect(answer.usage).toBeUndefined()
  expect((await stream.finalChatCompletion()).usage ?? undefined).toBeUndefined()
})

test('completions, whole and streamed', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'there was a desk.' }] })
  const { completions } = clientOf(desk)
  const answer = await completions.create({ model: 'any', prompt: 'Once upon a time', max_tokens: 20 })
  const stream = await completions.create({ model: 'any', prompt: ['Once upon a time'], stream: true })
  const chunks = await Array.fromAsync(stream)
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^cmpl-/),
    object: 'text_completion',
    choices: [{ text: 'there was a desk.', finish_reason: 'stop' }],
  })
  expect(chunks.map(({ choices }) => choices[0]?.text).join('')).toBe('there was a desk.')
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
})

test.each([[['STOP']], ['STOP']])('stop: %j', async (stop) => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'One two STOP three' }] })
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, stop })
  expect(choices[0]).toMatchObject({ message: { content: 'One two' }, finish_reason: 'stop' })
})

test('max_tokens reached is finish_reason length', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => 'word '.repeat(50) }] })
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, max_tokens: 5 })
  expect(choices[0]?.finish_reason).toBe('length')
})

test.each([true, false])('abort (stream: %j) stops the backend within a second', async (stream) => {
  await using desk = await openDesk({ simulators: [SLOW] })
  const controller = new AbortController()
  const options = { signal: controller.signal }
  const answer = clientOf(desk)
    .chat.completions.create({ ...HI, stream }, options)
    .then((reply) => ('controller' in reply ? Array.fromAsync(reply) : reply))
    .catch((error: unknown) => error)
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
  const abortedAt = performance.now()
  controller.abort()
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(performance.now() - abortedAt).toBeLessThan(1_000)
  expect(desk.simulator.aborts[0]?.genkey).toBe(desk.simulator.calls[0]?.genkey)
  expect(desk.simulator.calls[0]?.state).toBe('aborted')
  expect(desk.simulator.calls[0]?.tokensGenerated).toBeLessThan(40)
  // The client lets its own abort end a stream, and throws for a plain call.
  if (!stream) expect(await answer).toBeInstanceOf(APIUserAbortError)
})

test.each([true, false])('who leaves while waiting (stream: %j) costs no call', async (stream) => {
  await using desk = await openDesk({ simulators: [SLOW] })
  const { chat } = clientOf(desk)
  const first = new AbortController()
  const second = new AbortController()
  const running = chat.completions.create(HI, { signal: first.signal }).catch((error: unknown) => error)
  await desk.simulator.waitForCall(1)
  const waiting = chat.completions
    .create({ ...HI, stream }, { signal: second.signal })
    .catch((error: unknown) => error)
  const inLine = async () =>
    ((await (await fetch(`${desk.url}/health`)).json()) as { waiting: number }).waiting
  await expect.poll(inLine).toBe(1)
  second.abort()
  expect(await waiting).toBeInstanceOf(APIUserAbortError)
  await expect.poll(inLine).toBe(0)
  first.abort()
  await running
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.calls).toHaveLength(1)
})

test('where there is a choice, an unknown model is NotFoundError with the known names', async () => {
  await using desk = await openDesk({
    simulators: [
      { ...AT_ONCE, model: 'koboldcpp/tiny' },
      { ...AT_ONCE, model: 'koboldcpp/large' },
    ],
  })
  const { chat } = clientOf(desk)
  for (const stream of [false, true]) {
    const error = await chat.completions
      .create({ ...HI, model: 'gpt-5', stream })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error).toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      type: 'invalid_request_error',
      message: expect.stringMatching(/koboldcpp\/tiny, koboldcpp\/large, default/),
    })
  }
  expect((await chat.completions.create({ ...HI, model: 'large' })).model).toBe('koboldcpp/large')
  expect((await chat.completions.create({ ...HI, model: 'koboldcpp/tiny' })).model).toBe('koboldcpp/tiny')
})

test.each([false, true])(
  'a full line (stream: %j): the client comes back when it is told to',
  async (stream) => {
    await using desk = await openDesk({
      simulators: [
        { tokensPerSecond: 20, answer: ({ text }) => (text.includes('Hello') ? 'word '.repeat(400) : 'Hi.') },
      ],
      dispatcher: { lineCapacity: 0 },
    })
    const first = new AbortController()
    const running = clientOf(desk)
      .chat.completions.create(HI, { signal: first.signal })
      .catch((error: unknown) => error)
    await desk.simulator.waitForCall(1)
    const { client, replies } = watchedClientOf(desk)
    const startedAt = performance.now()
    const messages = [{ role: 'user' as const, content: 'Short' }]
    const answer = client.chat.completions.create({ ...HI, messages, stream })
    await expect.poll(() => replies.length, { interval: 5 }).toBe(1)
    first.abort()
    await running
    const reply = await answer
    if ('controller' in reply) await Array.fromAsync(reply)
    expect(replies).toEqual([
      { status: 503, retryAfter: expect.stringMatching(/^\d+$/), shouldRetry: 'true' },
      { status: 200, retryAfter: null, shouldRetry: null },
    ])
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(Number(replies[0]?.retryAfter) * 1_000 - 20)
  },
)

test.each([
  ['reset_mid_chunk', 'api_stream_interrupted'],
  ['cut_stream', 'api_stream_interrupted'],
] as const)('a backend that dies in mid-stream (%s) is an error, never a clean end', async (fault, code) => {
  await using desk = await openDesk({
    simulators: [{ tokensPerSecond: 200, faults: [{ fault, afterTokens: 5 }] }],
  })
  const { client, replies } = watchedClientOf(desk)
  const stream = await client.chat.completions.create({ ...HI, stream: true })
  let text = ''
  let reason: unknown
  const reading = (async () => {
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? ''
      reason = choices[0]?.finish_reason ?? reason
    }
  })()
  const error = await reading.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(APIError)
  expect(error).toMatchObject({ code, type: 'server_error' })
  expect(text).not.toBe('')
  expect(reason).toBeUndefined()
  expect(replies).toHaveLength(1)
})

test('a backend that is killed in mid-stream is an error', async () => {
  await using desk = await openDesk({ simulators: [SLOW] })
  const stream = clientOf(desk).chat.completions.stream(HI)
  stream.once('content', () => void desk.simulator.kill())
  await expect(stream.finalChatCompletion()).rejects.toBeInstanceOf(APIError)
})

test('what fails before the first text has its status, and is not repeated by the client', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, faults: [{ fault: 'status', status: 401 }] }],
  })
  for (const stream of [false, true]) {
    const { client, replies } = watchedClientOf(desk)
    const error = await client.chat.completions.create({ ...HI, stream }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InternalServerError)
    expect(error).toMatchObject({ status: 502, code: 'api_authentication_error' })
    expect(replies).toEqual([{ status: 502, retryAfter: null, shouldRetry: 'false' }])
  }
})

test('tools go to the backend, its calls to the client', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, answer: () => ({ text: '', toolCalls: [CALL] }) }],
  })
  const { chat } = clientOf(desk)
  const asked = { ...HI, tools: TOOLS, tool_choice: 'auto' as const }
  const whole = await chat.completions.create(asked)
  const streamed = await chat.completions.stream(asked).finalChatCompletion()
  for (const { choices } of [whole, streamed]) {
    expect(choices[0]?.finish_reason).toBe('tool_calls')
    expect(choices[0]?.message.tool_calls).toMatchObject([CALL])
  }
  expect(whole.choices[0]?.message.content).toBeNull()
  expect(desk.simulator.calls[0]?.body).toMatchObject({ tools: TOOLS, tool_choice: 'auto' })
})

test('an answered tool call goes back with its id', async () => {
  await using desk = await openDesk()
  const messages = [
    ...HELLO,
    { role: 'assistant', content: null, tool_calls: [{ ...CALL, type: 'function' }] },
    { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
  ] satisfies OpenAI.ChatCompletionMessageParam[]
  await clientOf(desk).chat.completions.create({ ...HI, messages })
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [HELLO[0], { role: 'assistant', tool_calls: [CALL] }, messages[2]],
  })
})

test('response_format goes to the backend', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answerJson: { city: 'Ulm' } }] })
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const response_format = {
    type: 'json_schema' as const,
    json_schema: { name: 'place', schema, strict: true },
  }
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, response_format })
  expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({ city: 'Ulm' })
  expect(desk.simulator.calls[0]?.body).toMatchObject({ response_format })
})

test('images go along as data, never as an address', async () => {
  await using desk = await openDesk()
  const { chat } = clientOf(desk)
  const ask = (url: string) => {
    const content = [
      { type: 'text' as const, text: 'What is this?' },
      { type: 'image_url' as const, image_url: { url } },
    ]
    return chat.completions.create({ ...HI, messages: [{ role: 'user', content }] })
  }
  const url = 'data:image/png;base64,iVBORw0KGgo='
  await ask(url)
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    messages: [{ content: [{ type: 'text' }, { image_url: { url } }] }],
  })
  await expect(ask('http://127.0.0.1/secret.png')).rejects.toMatchObject({
    status: 400,
    param: 'messages[0].content[1].image_url.url',
  })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('reasoning stands beside the answer', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, answer: () => ({ text: 'Four.', reasoning: 'Two and two.' }) }],
  })
  const { choices } = await clientOf(desk).chat.completions.create(HI)
  expect(choices[0]?.message).toMatchObject({ content: 'Four.', reasoning_content: 'Two and two.' })
})

test.each([
  [{ n: 2 }, 'n'],
  [{ temperature: 9 }, 'temperature'],
  [{ messages: [{ role: 'wizard' as 'user', content: 'Hi' }] }, 'messages[0].role'],
  [{ model: '' }, 'model'],
])('%j is BadRequestError with its param', async (wrong, param) => {
  await using desk = await openDesk()
  const error = await clientOf(desk)
    .chat.completions.create({ ...HI, ...wrong })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(BadRequestError)
  expect(error).toMatchObject({
    param,
    type: 'invalid_request_error',
    message: expect.stringContaining(param),
  })
})

test('the list of models, and one of them', async () => {
  await using desk = await openDesk({
    simulators: [{ model: 'koboldcpp/tiny' }, { model: 'koboldcpp/large' }],
  })
  const { models } = clientOf(desk)
  const all = await Array.fromAsync(models.list())
  expect(all.map(({ id }) => id)).toEqual(['koboldcpp/tiny', 'koboldcpp/large', 'default'])
  expect(await models.retrieve('koboldcpp/large')).toEqual(all[1])
  expect(await models.retrieve('default')).toMatchObject({ object: 'model', created: expect.any(Number) })
  await expect(models.retrieve('gpt-5')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
})

test('a wrong key is AuthenticationError, the right one is served', async () => {
  await using desk = await openDesk({ server: { apiKeys: ['sesame'] } })
  const error = await clientOf(desk, 'guess')
    .chat.completions.create(HI)
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(AuthenticationError)
  expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error' })
  await expect(clientOf(desk, 'guess').models.list()).rejects.toMatchObject({ code: 'invalid_api_key' })
  expect((await clientOf(desk, 'sesame').chat.completions.create(HI)).choices).toHaveLength(1)
})
