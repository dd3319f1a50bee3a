import { expect, test } from 'vitest'
import { readOpenAiRequest } from './read-openai-request.ts'

const MESSAGES = { messages: [{ role: 'user', content: 'Why?' }], model: 'tiny' }
const ANSWER = {
  completion: 'Because.',
  id: 'evt_1',
  model: 'koboldcpp/tiny',
  backend: 'kobold',
  endpoint: 'chat',
  finish_reason: 'stop',
  usage: null,
  duration_ms: 1,
  attempts: [],
} as const

function requestOf(path: string, body: unknown) {
  const read = readOpenAiRequest(path, body)
  if (read.type !== 'request') throw new Error(read.type)
  return read.request
}

test('a chat becomes an event, and its outcome a chat completion', () => {
  const { event, replyTo } = requestOf('/v1/chat/completions', MESSAGES)
  expect(event).toMatchObject({ content: { messages: MESSAGES.messages }, model: 'tiny' })
  expect(replyTo({ ...ANSWER, attempts: [] }, 1_500)).toMatchObject({
    status: 200,
    body: { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'koboldcpp/tiny' },
  })
})

test('a completion has its own shape, a failure the status and body of /v1', () => {
  const { replyTo } = requestOf('/v1/completions', { prompt: 'Why?' })
  expect(replyTo({ ...ANSWER, attempts: [] }, 0).body).toMatchObject({ object: 'text_completion' })
  const failed = { error: 'api_timeout', details: 'Silent.', id: 'evt_1', duration_ms: 1 } as const
  expect(replyTo({ ...failed, attempts: [] }, 0)).toMatchObject({
    status: 504,
    body: { error: { message: 'Silent.', type: 'server_error', code: 'api_timeout' } },
  })
})

test('what can be seen to be wrong is refused as by /v1, and other addresses are named', () => {
  expect(readOpenAiRequest('/v1/completions', {})).toMatchObject({ type: 'refused', reply: { status: 400 } })
  expect(readOpenAiRequest('/v1/embeddings', {})).toEqual({
    type: 'unknown_path',
    known: ['/v1/chat/completions', '/v1/completions'],
  })
})

test('a text is to be gone on with, a chat is not', () => {
  expect(requestOf('/v1/completions', { prompt: 'Once' }).options).toMatchObject({ continues: true })
  expect(requestOf('/v1/chat/completions', MESSAGES).options).not.toHaveProperty('continues')
})

test('a failure says which fields look misspelt, and so does an answer', () => {
  const warnings = [{ field: 'maxTokens', details: '`maxTokens` is ignored.' }]
  const { options, replyTo } = requestOf('/v1/chat/completions', { ...MESSAGES, maxTokens: 5 })
  expect(options).toHaveProperty('madeOf.given', ['messages', 'model', 'maxTokens'])
  expect(replyTo({ ...ANSWER, attempts: [], warnings }, 0).body).toMatchObject({ warnings })
  const failed = { error: 'api_timeout', details: 'Silent.', id: 'evt_1', duration_ms: 1 } as const
  expect(replyTo({ ...failed, attempts: [], warnings }, 0).body).toMatchObject({ warnings })
})

test('lines are read as leniently as under /v1', () => {
  for (const { options } of [
    requestOf('/v1/completions', { prompt: 'Once' }),
    requestOf('/v1/chat/completions', MESSAGES),
  ]) {
    expect(options).toMatchObject({ takesAnyTurn: true, maxTokensIsCeiling: true })
  }
})
