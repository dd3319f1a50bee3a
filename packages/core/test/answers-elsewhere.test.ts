import { describe, expect, test } from 'vitest'
import { answered, asking, BACKENDS, bodied, END, part, rawDesk, sse } from './raw-desk.ts'

// Text, thoughts, calls of tools and reasons in other places than OpenAI's, over sockets: the outcome is that of a caller.

const hello = part({ content: 'Hello ' })
const choice = (fields: object) => ({ choices: [{ index: 0, ...fields }] })

describe.each(BACKENDS)('%s', (kind) => {
  const { streamOf, askFor } = asking(kind)

  const replyTo = async (reply: unknown) => {
    await using desk = await rawDesk(kind, bodied(JSON.stringify(reply)))
    return await desk.ask()
  }

  test.each([
    ['as the text of its choice', choice({ text: 'Hello you.', finish_reason: 'stop' })],
    ['as a delta', choice({ delta: { content: 'Hello you.' }, finish_reason: 'stop' })],
    ['as the content of its choice', choice({ content: 'Hello you.', finish_reason: 'stop' })],
    ['as the text of its message', choice({ message: { text: 'Hello you.' }, finish_reason: 'stop' })],
    ['as a part without a type', choice({ message: { content: [{ text: 'Hello you.' }] } })],
    ['as a part alone without a type', choice({ message: { content: { text: 'Hello you.' } } })],
    ['as the content of a part', choice({ message: { content: [{ type: 'text', content: 'Hello you.' }] } })],
    [
      'in the second of two choices',
      {
        choices: [
          { index: 1, message: { content: 'Another.' }, finish_reason: 'length' },
          { index: 0, message: { content: 'Hello you.' }, finish_reason: 'stop' },
        ],
      },
    ],
  ])('the text of a whole reply is found %s', async (_, reply) => {
    expect(await replyTo(reply)).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
  })

  test.each([
    ['its choice', choice({ content: 'Hello you.' })],
    ['its delta, called text', choice({ delta: { text: 'Hello you.' } })],
    ['a part without a type', choice({ delta: { content: [{ text: 'Hello you.' }] } })],
    [
      'the second of two choices',
      {
        choices: [
          { index: 1, delta: { content: 'Another.' } },
          { index: 0, delta: { content: 'Hello you.' } },
        ],
      },
    ],
  ])('the text of an event is found in %s', async (_, event) => {
    const { outcome } = await streamOf(sse(event), part({}, 'stop'), END)
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test('text in parts of an unknown kind alone is no empty answer', async () => {
    const content = [{ type: 'markdown', text: 'Hello you.' }]
    const usage = { usage: { prompt_tokens: 9, completion_tokens: 4 } }
    const expected = { error: 'api_response_structure_error' }
    expect(await askFor({ content }, 'stop', usage)).toMatchObject(expected)
    expect((await streamOf(part({ content }), part({}, 'stop', usage), END)).outcome).toMatchObject(expected)
  })

  test.each([
    ['a message', { message: { role: 'assistant', content: 'Hello you.' }, finish_reason: 'stop' }],
    [
      'a message beside an empty delta',
      { delta: {}, message: { content: 'Hello you.' }, finish_reason: 'stop' },
    ],
    ['a text beside an empty delta', { delta: {}, text: 'Hello you.', finish_reason: 'stop' }],
  ])('an answer that comes once more as %s is not written twice', async (_, last) => {
    const { outcome, text } = await streamOf(hello, part({ content: 'you.' }), sse(choice(last)), END)
    expect(outcome).toMatchObject({ completion: 'Hello you.', finish_reason: 'stop' })
    expect(text).toBe('Hello you.')
  })

  test('a last message that holds more than its deltas ends the answer', async () => {
    const { outcome } = await streamOf(hello, sse(choice({ message: { content: 'Hello you.' } })), END)
    expect(outcome).toMatchObject({ completion: 'Hello you.' })
  })

  test.each([
    ['thinking', { thinking: 'hm' }],
    ['thought', { thought: 'hm' }],
    ['reasoning_text', { reasoning_text: 'hm' }],
    ['reasoning with its content', { reasoning: { content: 'hm' } }],
    ['reasoning_details', { reasoning_details: [{ type: 'reasoning.text', text: 'hm' }] }],
  ])('thoughts called %s are thoughts', async (_, thoughts) => {
    const expected = { completion: 'Hello you.', reasoning: 'hm' }
    expect(await askFor({ content: 'Hello you.', ...thoughts })).toMatchObject(expected)
    const streamed = await streamOf(part(thoughts), part({ content: 'Hello you.' }), part({}, 'stop'), END)
    expect(streamed.outcome).toMatchObject(expected)
  })

  const call = { name: 'look', arguments: '{"city":"Bern"}' }
  const made = [{ type: 'function', function: call }]

  test.each([
    ['one call alone', { tool_calls: { id: 'a', function: call } }],
    ['a call beside null', { tool_calls: [null, { id: 'a', function: call }] }],
    ['a call without its function', { tool_calls: [{ id: 'a', ...call }] }],
    ['the function call of before', { function_call: call }],
  ])('%s is a call of a tool', async (_, message) => {
    const expected = { tool_calls: made, finish_reason: 'tool_calls' }
    expect(await askFor({ content: null, ...message }, 'tool_calls')).toMatchObject(expected)
    expect((await streamOf(part(message), part({}, 'tool_calls'), END)).outcome).toMatchObject(expected)
  })

  test('the function call of before comes in pieces', async () => {
    const pieces = [{ name: 'look', arguments: '{"city":' }, { arguments: '"Bern"}' }]
    const events = pieces.map((function_call) => part({ function_call }))
    expect((await streamOf(...events, part({}, 'function_call'), END)).outcome).toMatchObject({
      tool_calls: made,
    })
  })

  test('a call of a tool that is announced and not there is no empty answer', async () => {
    const expected = {
      error: 'api_response_structure_error',
      details: expect.stringContaining('says that it calls a tool, and names none'),
    }
    const usage = { usage: { prompt_tokens: 9, completion_tokens: 14 } }
    expect(await askFor({ content: '', tool_calls: [] }, 'tool_calls', usage)).toMatchObject(expected)
    expect((await streamOf(part({ content: '' }), part({}, 'tool_calls', usage), END)).outcome).toMatchObject(
      expected,
    )
  })

  test.each([
    ['counts below zero', { prompt_tokens: -1, completion_tokens: -1 }],
    ['parts of tokens', { prompt_tokens: 1.5, completion_tokens: 2.5 }],
    ['counts beyond all measure', { prompt_tokens: 1e300, completion_tokens: 4 }],
    ['texts', { prompt_tokens: '9', completion_tokens: '4' }],
  ])('%s are no usage', async (_, usage) => {
    expect((await askFor({ content: 'Hello you.' }, 'stop', { usage })).usage).toBeNull()
    const last = sse({ choices: [], usage })
    expect((await streamOf(hello, part({}, 'stop'), last, END)).outcome.usage).toBeNull()
  })
})

// KoboldCPP's "length" means more than one thing, and `kobold-finish.test.ts` says what becomes of it.
describe('the reason why an answer ended', () => {
  const { streamOf } = asking('openai')

  test.each<[string, (message: object) => object]>([
    ['within the delta', (message) => choice({ delta: { ...message, finish_reason: 'length' } })],
    ['within the message', (message) => choice({ message: { ...message, finish_reason: 'length' } })],
    ['beside the choices', (message) => ({ ...choice({ message }), finish_reason: 'length' })],
    ['as one word', (message) => choice({ message, finishReason: 'MAX_TOKENS' })],
    ['as an object', (message) => choice({ message, finish_reason: { type: 'length' } })],
    ['in its details', (message) => choice({ message, finish_details: { type: 'max_tokens' } })],
    ["by Anthropic's name", (message) => choice({ message, stop_reason: 'max_tokens' })],
    ["by Ollama's name", (message) => ({ ...choice({ message }), done_reason: 'length' })],
    ['as a word for being cut', (message) => choice({ message, finish_reason: 'truncated' })],
  ])('is found %s', async (_, write) => {
    expect((await streamOf(hello, sse(write({})), END)).outcome).toMatchObject({ finish_reason: 'length' })
    await using desk = await rawDesk('openai', bodied(JSON.stringify(write({ content: 'Hello' }))))
    expect(await desk.ask()).toMatchObject({ completion: 'Hello', finish_reason: 'length' })
  })

  test('is the limit where nobody gives one and the count has reached it', async () => {
    const usage = (completion_tokens: number) => ({ usage: { prompt_tokens: 9, completion_tokens } })
    for (const [count, finish_reason] of [
      [512, 'length'],
      [511, 'stop'],
    ] as const) {
      await using desk = await rawDesk('openai', answered({ content: 'Hello' }, null, usage(count)))
      expect(await desk.ask()).toMatchObject({ finish_reason })
      const { outcome } = await streamOf(hello, sse({ choices: [], ...usage(count) }), END)
      expect(outcome).toMatchObject({ finish_reason })
    }
  })

  test('is a failure where the server ran out of memory', async () => {
    const { outcome } = await streamOf(hello, part({}, 'out_of_memory'), END)
    expect(outcome).toMatchObject({ error: 'api_response_structure_error', partial: 'Hello ' })
  })
})
