import { expect, test } from 'vitest'
import type { Parameters, Prompt, Turn } from '../contract/prompt.ts'
import { parseEvent } from './event.ts'
import { extractPrompt } from './extract-prompt.ts'

function extracted(content: string | object, parameters?: Parameters): Prompt {
  const result = extractPrompt(content, parameters)
  if (!result.ok) throw new Error(`${result.failure.code}: ${result.failure.details}`)
  return result.value
}

function refused(content: string | object): string {
  const result = extractPrompt(content)
  if (result.ok) throw new Error(`extracted ${JSON.stringify(result.value)}`)
  return `${result.failure.code}: ${result.failure.details}`
}

const user = (content: string): Turn => ({ role: 'user', content })

test.each<[string, string | object, Turn[]]>([
  ['plain text', 'Hello there', [user('Hello there')]],
  ['text keeps its white space', '  Hello\n', [user('  Hello\n')]],
  ['text that only begins like JSON', '{not json', [user('{not json')]],
  [
    'text with a fence inside',
    'Fix:\n```json\n{"prompt":"x"}\n```',
    [user('Fix:\n```json\n{"prompt":"x"}\n```')],
  ],
  ['a JSON string is that string', '"Say \\"hi\\""', [user('Say "hi"')]],
  ['a JSON string is not read again', '"{\\"prompt\\":\\"x\\"}"', [user('{"prompt":"x"}')]],
  ['a JSON number is its text', '42', [user('42')]],
  ['a JSON boolean is its text', 'true', [user('true')]],
  ['a JSON null is its text', 'null', [user('null')]],
  ['a JSON object with a prompt', '{"prompt":"Hi"}', [user('Hi')]],
  ['a fenced JSON object', '```json\n{"prompt":"Hi"}\n```', [user('Hi')]],
  ['a fence without a language', ' ```\n["a","b"]\n``` ', [user('a'), user('b')]],
  ['a fence with Windows line ends', '```json\r\n{"prompt":"Hi"}\r\n```', [user('Hi')]],
  ['a JSON list of strings', '["a", "b"]', [user('a'), user('b')]],
  ['a JSON object with neither, as written', '{"order": 5,  "a":1}', [user('{"order": 5,  "a":1}')]],
  ['an object with a prompt', { prompt: 'Hi' }, [user('Hi')]],
  ['a prompt is not read again', { prompt: '{"prompt":"x"}' }, [user('{"prompt":"x"}')]],
  ['an object with neither', { order: 5, to: ['x'] }, [user('{"order":5,"to":["x"]}')]],
  ['null messages are unset', { messages: null, prompt: 'Hi' }, [user('Hi')]],
  ['a list of strings', ['a', 'b'], [user('a'), user('b')]],
  [
    'content parts are joined',
    [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ],
    [user('a\nb')],
  ],
  [
    'a bare list of parts is one turn',
    [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ],
    [user('a\nb')],
  ],
  [
    'developer is system',
    [{ role: 'developer', content: 's' }, user('u')],
    [{ role: 'system', content: 's' }, user('u')],
  ],
])('%s', (_name, content, turns) => {
  expect(extracted(content).turns).toEqual(turns)
})

test('messages: the user turns are the text, the whole list is what backends get', () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'One' },
    { role: 'assistant', content: 'Two' },
    { role: 'user', content: 'Three' },
  ]
  expect(extracted({ messages })).toEqual({ turns: messages, parameters: {} })
})

test('an image travels as a part, and its text counts as text', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
  const prompt = extracted([{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] }])
  expect(prompt.turns[0]?.content).toEqual([{ type: 'text', text: 'What is it?' }, image])
})

test('an assistant turn with tool calls needs no content', () => {
  const calls = [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }]
  const prompt = extracted([user('Hi'), { role: 'assistant', content: null, tool_calls: calls }])
  expect(prompt.turns[1]).toEqual({ role: 'assistant', content: null, tool_calls: calls })
})

test('parameters inside content count, and those of the event win', () => {
  const content = { prompt: 'Hi', max_tokens: 5, temperature: 0.1, stop: 'x', seed: null, unknown: 1 }
  expect(extracted(content, { max_tokens: 9 }).parameters).toEqual({
    max_tokens: 9,
    temperature: 0.1,
    stop: ['x'],
  })
})

test('an object that is data keeps its own temperature', () => {
  expect(extracted({ sensor: 7, temperature: 'hot' }).parameters).toEqual({})
})

test.each<[string, string | object, RegExp]>([
  ['an empty string', '', /^prompt_extraction_failed/],
  ['white space', ' \n\t', /^prompt_extraction_failed/],
  ['an empty list', [], /^prompt_extraction_failed/],
  ['an empty JSON string', '""', /^prompt_extraction_failed/],
  ['no user turn', [{ role: 'system', content: 'x' }], /^prompt_extraction_failed/],
  [
    'messages that are no list',
    { messages: 'x' },
    /^invalid_input_format: `content.messages` must be a list; it is a string/,
  ],
  [
    'a prompt that is no string',
    { prompt: 5 },
    /^invalid_input_format: `content.prompt` must be a string; it is a whole number/,
  ],
  [
    'strings mixed with messages',
    ['a', { role: 'user', content: 'b' }],
    /^invalid_input_format: `content` mixes/,
  ],
  ['a list of numbers', '[1, 2]', /^invalid_input_format: `content\[0\]`/],
  ['a message without role', [{ content: 'x' }], /^invalid_input_format: `content\[0\].role`/],
  [
    'an unknown role',
    { messages: [{ role: 'boss', content: 'x' }] },
    /^invalid_input_format: `content.messages\[0\].role`/,
  ],
  [
    'a role from the prototype',
    [{ role: 'constructor', content: 'x' }],
    /^invalid_input_format: `content\[0\].role`/,
  ],
  ['a message without content', [{ role: 'user' }], /^invalid_input_format: `content\[0\].content`/],
  [
    'an image by address',
    [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/x' } }] }],
    /addresses are not fetched/,
  ],
  [
    'an unknown part',
    [{ role: 'user', content: [{ type: 'input_audio' }] }],
    /^invalid_input_format: `content\[0\].content\[0\].type`/,
  ],
  [
    'a bad parameter inside content',
    { prompt: 'Hi', max_tokens: 0 },
    /^invalid_input_format: `content.max_tokens` must be at least 1/,
  ],
])('%s is refused', (_name, content, message) => {
  expect(refused(content)).toMatch(message)
})

test('a list nested beyond 64 levels is refused, not overflowed', () => {
  expect(refused(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toMatch(/^invalid_input_format: .*64/)
})

test.each([
  [{}, { tools: [], tool_choice: 'auto' }, {}],
  [{ tool_choice: 'none' }, {}, {}],
  [{}, { tools: [], tool_choice: 'required' }, { tool_choice: 'required' }],
  [{ tools: [{ a: 1 }] }, { tool_choice: 'none' }, { tools: [{ a: 1 }], tool_choice: 'none' }],
  [{ tools: [{ a: 1 }] }, { tools: [], tool_choice: 'auto' }, { tools: [{ a: 1 }], tool_choice: 'auto' }],
])('a choice among no tools is none: %j and %j', (inContent, ofEvent, expected) => {
  const event = parseEvent({ content: { prompt: 'Hi', ...inContent }, parameters: ofEvent })
  const prompt = event.ok && extractPrompt(event.value.content, event.value.parameters)
  expect(prompt).toMatchObject({ ok: true, value: { parameters: expected } })
  expect(prompt ? prompt.ok && prompt.value.parameters : undefined).toEqual(expected)
})

test('what JavaScript has beside JSON is written with its digits, or refused', () => {
  expect(extractPrompt({ channel: 1187654321098765433n })).toMatchObject({
    value: { turns: [{ content: '{"channel":1187654321098765433}' }] },
  })
  const unwritable = {
    toJSON() {
      throw new Error('secret')
    },
  }
  expect(extractPrompt({ unwritable })).toMatchObject({
    failure: { code: 'invalid_input_format', details: '`content` cannot be written as JSON.' },
  })
  expect(extractPrompt({ toJSON: () => undefined })).toMatchObject({ ok: false })
})

test('refuses a text of JSON that is too large to be read, and takes the same size of words', () => {
  const keys = JSON.stringify(
    Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`k${index}`, 1])),
  )
  expect(refused(keys)).toBe(
    'invalid_input_format: `content` is a text of JSON that holds more than 10,000 keys.',
  )
  expect(refused(`\`\`\`json\n[${'1,'.repeat(100_000)}1]\n\`\`\``)).toContain('more than 100,000 values')
  expect(extracted(`Sum up: ${keys}`).turns).toHaveLength(1)
})
