import type { SuccessOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { SUCCESS } from '../../test/fake-dispatcher.ts'
import { chatShape, completionBody, textShape } from './completion-body.ts'

const CALL = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } } as const
const chat = { shape: chatShape, model: 'tiny', created: 1_767_225_600 }
const text = { shape: textShape, model: 'tiny', created: 1_767_225_600 }

test('a chat', () => {
  expect(completionBody(SUCCESS, chat)).toEqual({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_767_225_600,
    model: 'koboldcpp/tiny',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello.', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  })
})

test('a completion', () => {
  expect(completionBody({ ...SUCCESS, finish_reason: 'length' }, text)).toEqual({
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1_767_225_600,
    model: 'koboldcpp/tiny',
    choices: [{ text: 'Hello.', index: 0, logprobs: null, finish_reason: 'length' }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  })
})

test('unknown usage is left out, an unknown model is the one that was asked for', () => {
  const body = completionBody({ ...SUCCESS, usage: null, model: null }, chat)
  expect(body).not.toHaveProperty('usage')
  expect(body).toMatchObject({ model: 'tiny' })
  expect(completionBody({ ...SUCCESS, model: null }, { ...chat, model: undefined })).toMatchObject({
    model: 'default',
  })
})

test('reasoning and tool calls; a call without a word has no content', () => {
  const called: SuccessOutcome = {
    ...SUCCESS,
    completion: '',
    finish_reason: 'tool_calls',
    tool_calls: [CALL],
  }
  expect(completionBody({ ...called, reasoning: 'Hm.' }, chat)).toMatchObject({
    choices: [
      {
        message: { content: null, reasoning_content: 'Hm.', tool_calls: [CALL] },
        finish_reason: 'tool_calls',
      },
    ],
  })
})

test('a completion knows no tools: a call ends it like any text', () => {
  const called: SuccessOutcome = {
    ...SUCCESS,
    completion: '',
    finish_reason: 'tool_calls',
    tool_calls: [CALL],
  }
  expect(completionBody(called, text)).toMatchObject({ choices: [{ text: '', finish_reason: 'stop' }] })
})
