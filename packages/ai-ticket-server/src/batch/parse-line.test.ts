import { expect, test } from 'vitest'
import { parseLine } from './parse-line.ts'

const parse = (text: string | undefined) =>
  parseLine({ number: 1, hash: '', bytes: text === undefined ? undefined : Buffer.from(text) })

const CHAT = { custom_id: 'c1', method: 'POST', url: '/v1/chat/completions' }

test.each([
  ['"Why?"', { type: 'event', event: { content: 'Why?' } }],
  ['{"id":"a","content":"Why?"}', { type: 'event', id: 'a', event: { id: 'a', content: 'Why?' } }],
  // What is no event is the dispatcher's to refuse.
  ['17', { type: 'event', event: 17 }],
  ['{"custom_id":"mine","content":"Why?"}', { type: 'event' }],
  [
    JSON.stringify({ ...CHAT, body: { messages: [{ role: 'user', content: 'a' }] } }),
    { type: 'openai', id: 'c1' },
  ],
  [JSON.stringify({ ...CHAT, body: {} }), { type: 'openai_refused', id: 'c1', reply: { status: 400 } }],
])('%s is read', (text, task) => {
  expect(parse(text)).toMatchObject(task)
})

test('long numbers keep their digits', () => {
  const body = '{"messages":[{"role":"user","content":"a"}],"tools":[{"enum":[1187654321098765433]}]}'
  const chat = parse(`{"custom_id":"c1","url":"/v1/chat/completions","body":${body}}`)
  expect(JSON.stringify(chat.type === 'openai' && chat.request.event)).toContain('[1187654321098765433]')
  const event = '{"content":{"channel":1187654321098765433},"metadata":{"price":0.12345678901234567890}}'
  const plain = parse(event)
  expect(JSON.stringify(plain.type === 'event' && plain.event)).toBe(event)
})

test.each([
  ['{', 'invalid_request', 'The line is not valid JSON: column 2 has the end, before a closing bracket.'],
  ['{"__proto__":{}}', 'invalid_request', 'The line has a key'],
  ['['.repeat(70) + ']'.repeat(70), 'invalid_input_format', 'nested deeper than 64'],
  [undefined, 'payload_too_large', 'longer than 1 MiB'],
  [JSON.stringify({ ...CHAT, url: '/v1/embeddings' }), 'invalid_input_format', '`url` must be /v1/chat'],
  [JSON.stringify({ ...CHAT, method: 'GET' }), 'invalid_input_format', '`method` must be POST'],
  [JSON.stringify({ url: '/v1/completions', body: {} }), 'invalid_input_format', '`custom_id` must be'],
])('%s is told what is wrong', (text, code, details) => {
  expect(parse(text)).toMatchObject({ type: 'wrong', code, details: expect.stringContaining(details) })
})
