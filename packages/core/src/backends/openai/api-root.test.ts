import { expect, test } from 'vitest'
import { readApiRoot } from './openai-options.ts'

test.each([
  ['http://localhost:8080', 'http://localhost:8080', '/v1'],
  ['localhost:11434/v1/', 'http://localhost:11434', '/v1'],
  ['http://box:8000/v1/chat/completions', 'http://box:8000', '/v1'],
  ['http://box:8000/v1/models', 'http://box:8000', '/v1'],
  ['https://openrouter.ai/api/v1', 'https://openrouter.ai/api', '/v1'],
  ['https://openrouter.ai/api', 'https://openrouter.ai/api', '/v1'],
  ['https://api.groq.com/openai/v1', 'https://api.groq.com/openai', '/v1'],
  ['https://api.z.ai/api/paas/v4', 'https://api.z.ai/api/paas', '/v4'],
  [
    'https://generativelanguage.googleapis.com/v1beta/openai/',
    'https://generativelanguage.googleapis.com',
    '/v1beta/openai',
  ],
  ['http://box/llm/', 'http://box/llm', '/v1'],
])('%s', (url, server, api) => {
  expect(readApiRoot(url)).toEqual({ server, api })
})

test.each(['', 'ftp://box', 'http://user:secret@box', 'http://box/v1?api-version=1', 7, undefined])(
  '%s is refused by name',
  (url) => {
    expect(() => readApiRoot(url)).toThrow(/^url must/)
    expect(() => readApiRoot(url)).not.toThrow(/secret/)
  },
)
