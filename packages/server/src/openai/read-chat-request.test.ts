import { expect, test } from 'vitest'
import { readChatRequest } from './read-request.ts'

const HELLO = { messages: [{ role: 'user', content: 'Hi' }] }

test('messages become the content of an event, options its parameters', () => {
  const tools = [{ type: 'function', function: { name: 'now' } }]
  const response_format = { type: 'json_object' }
  const sampling = {
    temperature: 0.2,
    top_p: 0.9,
    seed: 7,
    stop: ['\n'],
    presence_penalty: 1,
    logit_bias: {},
  }
  expect(
    readChatRequest({ ...HELLO, ...sampling, model: 'tiny', max_tokens: 9, tools, response_format }),
  ).toEqual({
    ok: true,
    value: {
      event: {
        content: HELLO,
        model: 'tiny',
        parameters: { ...sampling, max_tokens: 9, tools, response_format },
      },
      model: 'tiny',
      stream: false,
      includeUsage: false,
      lacksLogprobs: false,
    },
  })
})

test('of many names that nobody reads, a few are kept', () => {
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`name_${index}`, index]))
  const read = readChatRequest({ ...many, ...HELLO })
  expect(read).toHaveProperty('value.madeOf.given.length', 33)
  expect(readChatRequest(HELLO)).toHaveProperty('value.madeOf', undefined)
})

test.each([
  [{ max_tokens: 5 }, { max_tokens: 5 }],
  [{ max_completion_tokens: 7 }, { max_completion_tokens: 7 }],
  [{ max_tokens: 5, max_completion_tokens: 7 }, { max_completion_tokens: 7 }],
  [{ max_tokens: 5, max_completion_tokens: null }, { max_tokens: 5 }],
  [
    { min_p: 0.1, top_k: 40 },
    { min_p: 0.1, top_k: 40 },
  ],
])('%j is %j for the backend', (given, parameters) => {
  expect(readChatRequest({ ...HELLO, ...given })).toHaveProperty('value.event.parameters', parameters)
})

test('what identifies the caller or is not known is ignored, null means unset', () => {
  const ignored = { user: 'u1', metadata: { a: 'b' }, store: true, service_tier: 'auto', wonders: 1 }
  const unset = {
    temperature: null,
    stream: null,
    n: null,
    logprobs: null,
    tools: null,
    stream_options: null,
  }
  const read = readChatRequest({ ...HELLO, ...ignored, ...unset })
  expect(read).toEqual({
    ok: true,
    value: {
      event: { content: HELLO, parameters: {} },
      model: undefined,
      stream: false,
      includeUsage: false,
      lacksLogprobs: false,
      madeOf: { given: ['messages', ...Object.keys(ignored)], known: expect.any(Set) },
    },
  })
})

test.each([
  [{ stream: true }, { stream: true, includeUsage: false }],
  [
    { stream: true, stream_options: { include_usage: true } },
    { stream: true, includeUsage: true },
  ],
])('%j', (options, expected) => {
  expect(readChatRequest({ ...HELLO, ...options })).toMatchObject({ value: expected })
})

test.each([
  [[], 'The body must be a JSON object.'],
  ['Hi', 'The body must be a JSON object.'],
  [{}, '`messages` must be a list with at least one message.'],
  [{ messages: [] }, '`messages` must be a list with at least one message.'],
  [{ messages: 'Hi' }, '`messages` must be a list with at least one message.'],
  [{ messages: ['Hi'] }, '`messages[0]` must be a message with a role.'],
  [
    { messages: [...HELLO.messages, { type: 'text', text: 'Hi' }] },
    '`messages[1]` must be a message with a role.',
  ],
  [{ ...HELLO, stream: 'yes' }, '`stream` must be true or false.'],
])('%j is refused: %s', (body, details) => {
  expect(readChatRequest(body)).toEqual({ ok: false, failure: { code: 'invalid_input_format', details } })
})

test.each([
  ['n', 2],
  ['n', 0],
  ['functions', [{ name: 'now' }]],
  ['function_call', 'auto'],
  ['modalities', ['text', 'audio']],
  ['audio', { voice: 'ash' }],
])('%s: %j is refused by name', (name, value) => {
  const read = readChatRequest({ ...HELLO, [name]: value })
  expect(read).toMatchObject({ ok: false, failure: { details: expect.stringMatching(`^\`${name}\` `) } })
})

test.each([
  ['n', 1],
  ['logprobs', false],
  ['logprobs', true],
  ['top_logprobs', 5],
  ['functions', []],
  ['modalities', ['text']],
])('%s: %j asks for nothing that is missing', (name, value) => {
  expect(readChatRequest({ ...HELLO, [name]: value }).ok).toBe(true)
})
