import type { SuccessOutcome, ToolCall } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { messageBody } from './message-body.ts'

const SUCCESS: SuccessOutcome = {
  completion: 'Hello.',
  id: 'evt_1',
  model: 'koboldcpp/tiny',
  backend: 'kobold',
  endpoint: 'chat',
  finish_reason: 'stop',
  usage: { prompt_tokens: 9, completion_tokens: 2 },
  duration_ms: 5,
  attempts: [],
}
const CONTEXT = { model: 'tiny', showsThinking: true }
const call = (args: string): ToolCall => ({
  id: 'toolu_1',
  type: 'function',
  function: { name: 'now', arguments: args },
})
const contentOf = (more: Partial<SuccessOutcome>, context = CONTEXT) =>
  (messageBody({ ...SUCCESS, ...more }, context) as { content: object[] }).content

test('a message', () => {
  expect(messageBody(SUCCESS, CONTEXT)).toEqual({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'koboldcpp/tiny',
    content: [{ type: 'text', text: 'Hello.', citations: null }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: {
      input_tokens: 9,
      output_tokens: 2,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    },
  })
})

test.each([
  ['stop', 'end_turn'],
  ['length', 'max_tokens'],
  ['tool_calls', 'tool_use'],
  ['content_filter', 'refusal'],
] as const)('%s is %s', (finish_reason, stop_reason) => {
  expect(messageBody({ ...SUCCESS, finish_reason }, CONTEXT)).toMatchObject({ stop_reason })
})

test('numbers are required, and 0 where nobody knows; an unknown model is the one that was asked for', () => {
  expect(messageBody({ ...SUCCESS, usage: null, model: null }, CONTEXT)).toMatchObject({
    model: 'tiny',
    usage: { input_tokens: 0, output_tokens: 0 },
  })
})

test('thoughts, text and calls, in this order', () => {
  const more = {
    reasoning: 'Hm.',
    tool_calls: [call('{"zone":"CET"}')],
    finish_reason: 'tool_calls',
  } as const
  expect(contentOf({ ...more, tool_calls: [...more.tool_calls] })).toEqual([
    { type: 'thinking', thinking: 'Hm.', signature: '' },
    { type: 'text', text: 'Hello.', citations: null },
    { type: 'tool_use', id: 'toolu_1', name: 'now', input: { zone: 'CET' } },
  ])
  expect(contentOf({ reasoning: 'Hm.' }, { ...CONTEXT, showsThinking: false })).toHaveLength(1)
})

test('a call without a word has no text; no word and no call is an empty text', () => {
  const called = { completion: '', finish_reason: 'tool_calls' } as const
  expect(contentOf({ ...called, tool_calls: [call('')] })).toEqual([
    { type: 'tool_use', id: 'toolu_1', name: 'now', input: {} },
  ])
  expect(contentOf({ completion: '' })).toEqual([{ type: 'text', text: '', citations: null }])
})

test('a call that was cut off is none', () => {
  const cut = { completion: '', finish_reason: 'length', tool_calls: [call('{"zone":"C')] } as const
  expect(contentOf({ ...cut, tool_calls: [...cut.tool_calls] })).toEqual([
    { type: 'text', text: '', citations: null },
  ])
})

test('arguments that are no object are told as they are: the tool refuses them, and the model learns why', () => {
  const called = { completion: '', finish_reason: 'tool_calls' } as const
  expect(contentOf({ ...called, tool_calls: [call('CET')] })).toMatchObject([{ input: { arguments: 'CET' } }])
  expect(contentOf({ ...called, tool_calls: [call('["CET"]')] })).toMatchObject([
    { input: { arguments: '["CET"]' } },
  ])
})
