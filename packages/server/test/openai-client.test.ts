import type OpenAI from 'openai'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, clientOf, collect, HELLO, HI } from './openai-clients.ts'

const TOOLS = [
  { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
] satisfies OpenAI.ChatCompletionTool[]
const CALL = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } }

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
    simulators: [{ tokensPerSecond: 20, answer: () => 'One two three.' }],
  })
  const stream = await clientOf(desk).chat.completions.create({
    ...HI,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await collect(stream)
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
  const chunks = await collect(stream)
  // The text itself, without the tags of a chat: it is to be continued.
  for (const call of desk.simulator.calls) {
    expect(call).toMatchObject({ endpoint: 'text', body: { prompt: 'Once upon a time' } })
  }
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

test('the schema of a response_format goes to the backend', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, answerJson: { city: 'Ulm' } }] })
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const response_format = {
    type: 'json_schema' as const,
    json_schema: { name: 'place', schema, strict: true },
  }
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, response_format })
  expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({ city: 'Ulm' })
  // As it is or as a grammar, whichever the backend obeys.
  expect(JSON.stringify(desk.simulator.calls[0]?.body)).toContain('city')
})

test('images go along as data, never as an address', async () => {
  await using desk = await openDesk({ simulators: [{ ...AT_ONCE, vision: true }] })
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

test('the list of models, and one of them', async () => {
  await using desk = await openDesk({
    simulators: [{ model: 'koboldcpp/tiny' }, { model: 'koboldcpp/large' }],
  })
  const { models } = clientOf(desk)
  const all = await collect(models.list())
  expect(all.map(({ id }) => id)).toEqual(['koboldcpp/tiny', 'koboldcpp/large', 'default'])
  expect(await models.retrieve('koboldcpp/large')).toEqual(all[1])
  expect(await models.retrieve('default')).toMatchObject({ object: 'model', created: expect.any(Number) })
  await expect(models.retrieve('gpt-5')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
})

test('aliases are listed beside the models, and a chat by an alias reaches its model', async () => {
  await using desk = await openDesk({
    simulators: [{ model: 'koboldcpp/tiny' }, { model: 'koboldcpp/large' }],
    aliases: [{ fast: 'koboldcpp/tiny' }, { writer: 'koboldcpp/large', critic: 'koboldcpp/large' }],
  })
  const { models, chat } = clientOf(desk)
  const ids = (await collect(models.list())).map(({ id }) => id)
  expect(ids).toEqual(['koboldcpp/tiny', 'fast', 'koboldcpp/large', 'writer', 'critic', 'default'])
  expect(await models.retrieve('writer')).toMatchObject({ id: 'writer', owned_by: 'kobold-2' })
  for (const model of ['critic', 'writer']) {
    expect(await chat.completions.create({ ...HI, model, max_tokens: 5 })).toMatchObject({
      model: 'koboldcpp/large',
    })
  }
  expect(await chat.completions.create({ ...HI, model: 'fast', max_tokens: 5 })).toMatchObject({
    model: 'koboldcpp/tiny',
  })
})
