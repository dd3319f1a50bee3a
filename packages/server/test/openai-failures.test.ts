import {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
} from 'openai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, clientOf, collect, HI, SLOW, watchedClientOf } from './openai-clients.ts'

test.each([true, false])(
  'abort (stream: %j) stops the backend by its key, long before its end',
  async (stream) => {
    await using desk = await openDesk({ simulators: [SLOW] })
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const answer = clientOf(desk)
      .chat.completions.create({ ...HI, stream }, options)
      .then(async (reply) => ('controller' in reply ? await collect(reply) : reply))
      .catch((error: unknown) => error)
    await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 2)
    controller.abort()
    await desk.simulator.waitFor(({ generating }) => !generating)
    expect(desk.simulator.aborts[0]?.genkey).toBe(desk.simulator.calls[0]?.genkey)
    expect(desk.simulator.calls[0]?.state).toBe('aborted')
    // The client lets its own abort end a stream, and throws for a plain call.
    if (!stream) expect(await answer).toBeInstanceOf(APIUserAbortError)
  },
)

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

// Together, for each waits as long as it is told to.
test.concurrent.each([false, true])(
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
    if ('controller' in reply) await collect(reply)
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

test.each([
  [{ n: 2 }, 'n'],
  [{ temperature: 9 }, 'temperature'],
  [{ messages: [{ role: 'wizard' as 'user', content: 'Hi' }] }, 'messages[0].role'],
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
