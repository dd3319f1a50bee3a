import { expect, test } from 'vitest'
import type { GenerationRequest } from '../../contract/backend.ts'
import { alpacaTemplate } from '../http/transcript.ts'
import { chatBody, fullDialect, textBody } from './request-body.ts'

const options = { dialect: fullDialect, stream: false, template: alpacaTemplate, model: 'qwen' }

const request = (parameters: object = {}, more: object = {}): GenerationRequest => ({
  key: 'job-1',
  turns: [{ role: 'user', content: 'Hello' }],
  parameters: { max_tokens: 32, temperature: 0.7, top_p: 1, ...parameters },
  ...more,
})

test('a chat holds what was given and nothing else', () => {
  expect(chatBody(request(), options)).toEqual({
    model: 'qwen',
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 32,
    temperature: 0.7,
    top_p: 1,
    stream: false,
  })
})

test('a stream asks for usage, unless the server refuses that', () => {
  const stream = { ...options, stream: true }
  expect(chatBody(request(), stream)).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  const dialect = { streamUsage: false, lengthOption: 'max_completion_tokens' } as const
  const body = chatBody(request(), { ...stream, dialect })
  expect(body).toMatchObject({ stream: true, max_completion_tokens: 32 })
  expect(body).not.toHaveProperty('stream_options')
  expect(body).not.toHaveProperty('max_tokens')
})

test('a repetition penalty has two names', () => {
  expect(chatBody(request({ repetition_penalty: 1.1, top_k: 40, seed: 7 }), options)).toMatchObject({
    repetition_penalty: 1.1,
    repeat_penalty: 1.1,
    top_k: 40,
    seed: 7,
  })
})

test('a schema becomes response_format; a grammar excludes it', () => {
  const schema = { type: 'object' }
  const response_format = { type: 'json_schema', json_schema: { name: 'answer', schema } }
  expect(chatBody(request({}, { schema }), options)).toMatchObject({ response_format })
  const asked = request({ response_format: { type: 'json_object' } }, { schema })
  expect(chatBody(asked, options)).toMatchObject({ response_format })
  const both = chatBody(request({ grammar: 'root ::= "a"' }, { schema }), options)
  expect(both).toMatchObject({ grammar: 'root ::= "a"' })
  expect(both).not.toHaveProperty('response_format')
})

test('the text endpoint gets the system turn too, and the stop string of its transcript', () => {
  const turns = [
    { role: 'system' as const, content: 'Be brief.' },
    { role: 'user' as const, content: 'Hello' },
  ]
  const body = textBody(request({ stop: ['END'] }, { turns }), options)
  expect(body.prompt).toContain('Be brief.')
  expect(body.stop).toEqual(['END', ...alpacaTemplate.stop])
})
