import type OpenAI from 'openai'
import { UnprocessableEntityError } from 'openai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, clientOf, collect, HELLO, HI, watchedClientOf } from './openai-clients.ts'

// What clients sent, with nothing changed but base URL and key, and what came of it.

test('no name is any model', async () => {
  await using desk = await openDesk({
    simulators: [
      { ...AT_ONCE, model: 'koboldcpp/tiny' },
      { ...AT_ONCE, model: 'koboldcpp/large' },
    ],
  })
  const { choices, model } = await clientOf(desk).chat.completions.create({ ...HI, model: '' })
  expect(choices[0]?.finish_reason).toBe('stop')
  expect(model).toMatch(/^koboldcpp/)
  const stream = await clientOf(desk).chat.completions.create({ ...HI, model: '', stream: true })
  expect((await collect(stream))[0]?.model).toBe('default')
})

test('token probabilities that are not there are left out, and the log says so once', async () => {
  const lines: string[] = []
  const log = (message: string) => void lines.push(message)
  const logger = { debug: () => {}, info: log, warn: log, error: log }
  await using desk = await openDesk({ server: { logger } })
  const { chat, completions } = clientOf(desk)
  const asked = { ...HI, logprobs: true, top_logprobs: 5 }
  const { choices } = await chat.completions.create(asked)
  expect(choices[0]).toMatchObject({ logprobs: null, finish_reason: 'stop' })
  await chat.completions.create(asked)
  const { choices: texts } = await completions.create({ model: 'any', prompt: 'Once', logprobs: 10 })
  expect(texts[0]?.logprobs).toBeNull()
  expect(lines.filter((line) => line.includes('logprobs'))).toHaveLength(1)
})

test.each([' a time there was', '\n\na desk ', '  '])(
  'a completion is the text as it came: %j',
  async (text) => {
    await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => text }] })
    const { completions } = clientOf(desk)
    const asked = { model: 'any', prompt: 'Once upon' }
    const whole = await completions.create(asked)
    expect(whole.choices[0]?.text).toBe(text)
    const chunks = await collect(await completions.create({ ...asked, stream: true }))
    expect(chunks.map(({ choices }) => choices[0]?.text).join('')).toBe(text)
  },
)

test('a chat is trimmed as ever', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answer: () => ' Hi. ' }] })
  const { choices } = await clientOf(desk).chat.completions.create(HI)
  expect(choices[0]?.message.content).toBe('Hi.')
})

const IMAGE = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }

test.each<[string, OpenAI.ChatCompletionMessageParam[]]>([
  ['a system message alone', [{ role: 'system', content: 'Greet.' }]],
  ['an image alone', [{ role: 'user', content: [IMAGE] }]],
  [
    'system and assistant',
    [
      { role: 'system', content: 'Play.' },
      { role: 'assistant', content: 'Once' },
    ],
  ],
  ['an assistant that is to go on', [{ role: 'assistant', content: 'Once upon' }]],
  [
    'an empty user message behind a system message',
    [
      { role: 'system', content: 'Greet.' },
      { role: 'user', content: '' },
    ],
  ],
])('%s is a conversation', async (_what, messages) => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, vision: true }] })
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, messages })
  expect(choices[0]?.finish_reason).toBe('stop')
  const chunks = await collect(
    await clientOf(desk).chat.completions.create({ ...HI, messages, stream: true }),
  )
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
  expect(desk.simulator.calls[0]?.body).toMatchObject({ messages: { length: messages.length } })
})

test('nothing at all is none, and the event of /event still needs a user', async () => {
  await using desk = await openDesk()
  const messages = [{ role: 'user' as const, content: ' ' }]
  const error = await clientOf(desk)
    .chat.completions.create({ ...HI, messages })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ status: 400, code: 'prompt_extraction_failed' })
  expect((error as Error).message).toMatch(/no text and no image/)
  const reply = await desk.server.inject({
    method: 'POST',
    url: '/event',
    payload: { content: [{ role: 'system', content: 'Greet.' }] },
  })
  expect(reply.statusCode).toBe(422)
})

test('a cap of 32,000 tokens is cut to the context, and none means what is left of it', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, contextLength: 8_192 }] })
  const { chat, completions } = clientOf(desk)
  const sent = () => {
    const body = desk.simulator.calls.at(-1)?.body as { max_tokens?: number } | undefined
    return body?.max_tokens
  }
  const messages = [{ role: 'user' as const, content: 'word '.repeat(2_000) }]
  for (const max_tokens of [32_000, undefined]) {
    await chat.completions.create({ model: 'any', messages, max_tokens: max_tokens ?? null })
    expect(sent()).toBeGreaterThan(5_000)
    expect(sent()).toBeLessThan(6_000)
    await chat.completions.create({
      model: 'any',
      messages: HELLO,
      max_completion_tokens: max_tokens ?? null,
    })
    expect(sent()).toBeGreaterThan(7_900)
    await completions.create({ model: 'any', prompt: 'Once', max_tokens: max_tokens ?? null })
    expect(sent()).toBeGreaterThan(7_900)
  }
  const error = await chat.completions
    .create({
      model: 'any',
      messages: [{ role: 'user', content: 'word '.repeat(9_000) }],
      max_tokens: 32_000,
    })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' })
  expect((error as Error).message).not.toContain('context_policy')
})

test('samplers that a chat program sends go to the backend that knows them', async () => {
  await using desk = await openDesk()
  const samplers = {
    dry_multiplier: 0.8,
    xtc_probability: 0.5,
    sampler_order: [6, 0, 1, 3, 4, 2, 5],
    banned_strings: ['shivers'],
    typical: 0.9,
    mirostat: 2,
    rep_pen_range: 1024,
    reasoning_effort: 'low',
  }
  const asked = { ...HI, ...samplers, repeat_penalty: 1.1 }
  await clientOf(desk).chat.completions.create(asked as OpenAI.ChatCompletionCreateParamsNonStreaming)
  expect(desk.simulator.calls[0]?.body).toMatchObject({ ...samplers, rep_pen: 1.1 })
  await clientOf(desk).completions.create({ model: 'any', prompt: 'Once', ...samplers } as never)
  expect(desk.simulator.calls[1]?.body).toMatchObject(samplers)
  const wrong = { ...HI, sampler_order: [9] } as OpenAI.ChatCompletionCreateParamsNonStreaming
  const error = await clientOf(desk)
    .chat.completions.create(wrong)
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ status: 400, param: expect.stringContaining('sampler_order') })
})

test('an answer that never matches its schema is 422, which no client repeats', async () => {
  await using desk = await openDesk({
    simulators: [{ ...AT_ONCE, ignoreSchema: true, answer: () => 'No.' }],
    dispatcher: { repairs: 0 },
  })
  const { client, replies } = watchedClientOf(desk)
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const error = await client.chat.completions
    .create({ ...HI, response_format: { type: 'json_schema', json_schema: { name: 'place', schema } } })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UnprocessableEntityError)
  expect(error).toMatchObject({ status: 422, code: 'output_schema_mismatch' })
  expect(replies).toEqual([{ status: 422, retryAfter: null, shouldRetry: 'false' }])
})
