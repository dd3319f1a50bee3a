import type { StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { failureOutcome, SUCCESS } from '../../test/fake-dispatcher.ts'
import { chatShape, textShape } from './completion-body.ts'
import { type ChunksContext, CompletionChunks } from './completion-chunks.ts'

const ADMITTED: StreamEvent = { type: 'admitted', id: 'evt_1' }
const CALL = { id: 'call_1', type: 'function', function: { name: 'now', arguments: '{}' } } as const
const chat: ChunksContext = { shape: chatShape, model: 'tiny', created: 1_767_225_600, includeUsage: false }

const done = (more: Partial<SuccessOutcome> = {}): StreamEvent => ({
  type: 'done',
  outcome: { ...SUCCESS, ...more },
})

/** All frames of a stream, each as JSON, `[DONE]` as it is. */
function framesOf(context: ChunksContext, ...events: StreamEvent[]): unknown[] {
  const dialect = new CompletionChunks(context)
  const bytes = events.map((event) => dialect.frame(event) ?? '').join('')
  const frames = bytes.split('\n\n').slice(0, -1)
  return frames.map((frame) => {
    const data = frame.slice('data: '.length)
    return data === '[DONE]' ? data : JSON.parse(data)
  })
}

const chunk = (delta: object, finish_reason: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_767_225_600,
  model: 'tiny',
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
})

const ROLE = chunk({ role: 'assistant', content: '' })

test('a chat: the role, the text as it comes, the reason, the end', () => {
  const deltas: StreamEvent[] = [
    { type: 'delta', text: 'Hel' },
    { type: 'delta', text: 'lo.' },
  ]
  expect(framesOf(chat, ADMITTED, ...deltas, done())).toEqual([
    ROLE,
    chunk({ content: 'Hel' }),
    chunk({ content: 'lo.' }),
    chunk({}, 'stop'),
    '[DONE]',
  ])
})

test('nothing is sent before the first text, not even the head', () => {
  const dialect = new CompletionChunks(chat)
  expect(dialect.frame(ADMITTED)).toBeUndefined()
  expect(dialect.frame({ type: 'delta', text: 'Hi' })).toContain('"assistant"')
})

test('usage where it was asked for: null in every chunk, and one chunk more', () => {
  const frames = framesOf(
    { ...chat, includeUsage: true },
    ADMITTED,
    { type: 'delta', text: 'Hello.' },
    done(),
  )
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
  expect(frames.slice(0, -2)).toEqual([
    { ...ROLE, usage: null },
    { ...chunk({ content: 'Hello.' }), usage: null },
    { ...chunk({}, 'stop'), usage: null },
  ])
  expect(frames.at(-2)).toEqual({ ...ROLE, choices: [], usage })
})

test('usage that nobody knows is no chunk of its own', () => {
  const frames = framesOf({ ...chat, includeUsage: true }, ADMITTED, done({ usage: null }))
  expect(frames.at(-2)).toEqual({ ...chunk({}, 'stop'), usage: null })
})

test('reasoning has a field of its own', () => {
  const deltas: StreamEvent[] = [
    { type: 'delta', text: '', reasoning: 'Hm' },
    { type: 'delta', text: 'Hi' },
  ]
  const frames = framesOf(chat, ADMITTED, ...deltas, done({ completion: 'Hi', reasoning: 'Hm' }))
  expect(frames.slice(1, 3)).toEqual([chunk({ reasoning_content: 'Hm' }), chunk({ content: 'Hi' })])
  expect(frames).toHaveLength(5)
})

test('tool calls come whole, numbered', () => {
  const outcome = done({ completion: '', finish_reason: 'tool_calls', tool_calls: [CALL, CALL] })
  expect(framesOf(chat, ADMITTED, outcome)).toEqual([
    ROLE,
    chunk({ tool_calls: [{ index: 0, ...CALL }] }),
    chunk({ tool_calls: [{ index: 1, ...CALL }] }),
    chunk({}, 'tool_calls'),
    '[DONE]',
  ])
})

test('what a backend gave only at the end is not lost', () => {
  const frames = framesOf(chat, ADMITTED, done({ reasoning: 'Hm' }))
  expect(frames).toEqual([
    ROLE,
    chunk({ reasoning_content: 'Hm', content: 'Hello.' }),
    chunk({}, 'stop'),
    '[DONE]',
  ])
})

test('a completion: text only', () => {
  const frames = framesOf(
    { ...chat, shape: textShape },
    ADMITTED,
    { type: 'delta', text: '', reasoning: 'Hm' },
    { type: 'delta', text: 'Hello.' },
    done({ finish_reason: 'length' }),
  )
  const piece = (text: string, finish_reason: string | null = null) => ({
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1_767_225_600,
    model: 'tiny',
    choices: [{ text, index: 0, logprobs: null, finish_reason }],
  })
  expect(frames).toEqual([piece('Hello.'), piece('', 'length'), '[DONE]'])
})

test('a failure is a frame with the error, and no end', () => {
  const outcome = failureOutcome('api_stream_interrupted', { partial: 'Hel' })
  const error = {
    message: 'Details of api_stream_interrupted.',
    type: 'server_error',
    param: null,
    code: 'api_stream_interrupted',
  }
  const frames = framesOf(chat, ADMITTED, { type: 'delta', text: 'Hel' }, { type: 'error', outcome })
  expect(frames.slice(2)).toEqual([{ error }])
})
