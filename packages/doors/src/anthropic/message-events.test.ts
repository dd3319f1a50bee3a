import type { FailureOutcome, StreamEvent, SuccessOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { MessageEvents } from './message-events.ts'

const ADMITTED: StreamEvent = { type: 'admitted', id: 'evt_1' }
const CALL = {
  id: 'toolu_1',
  type: 'function',
  function: { name: 'now', arguments: '{"n":9007199254740993}' },
}
const CONTEXT = { model: 'tiny', showsThinking: true, requestId: 'req_1' }

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
const FAILURE: FailureOutcome = {
  error: 'api_stream_interrupted',
  details: 'It broke off.',
  id: 'evt_1',
  duration_ms: 5,
  attempts: [],
}
const done = (more: object = {}): StreamEvent => ({
  type: 'done',
  outcome: { ...SUCCESS, ...more } as SuccessOutcome,
})
const delta = (text: string, reasoning?: string): StreamEvent => ({
  type: 'delta',
  text,
  ...(reasoning !== undefined && { reasoning }),
})

/** The data of all frames, each checked to have the name of its type. */
function read(bytes: string): unknown[] {
  return bytes
    .split('\n\n')
    .slice(0, -1)
    .map((frame) => {
      const [, name, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? []
      expect(JSON.parse(data).type).toBe(name)
      return JSON.parse(data)
    })
}

function framesOf(events: StreamEvent[], context = CONTEXT): unknown[] {
  const dialect = new MessageEvents(context)
  return read(events.map((event) => dialect.frame(event) ?? '').join(''))
}

const usage = (input_tokens: number, output_tokens: number) => ({
  ...{ input_tokens, output_tokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
})
const START = {
  type: 'message_start',
  message: {
    ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'tiny', content: [] },
    ...{ stop_reason: null, stop_sequence: null, usage: usage(0, 0) },
  },
}
const end = (stop_reason: string) => [
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: usage(9, 2) },
  { type: 'message_stop' },
]
const block = (index: number, content_block: object, ...deltas: object[]) => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((one) => ({ type: 'content_block_delta', index, delta: one })),
  { type: 'content_block_stop', index },
]
const text = (index: number, ...pieces: string[]) =>
  block(index, { type: 'text', text: '' }, ...pieces.map((piece) => ({ type: 'text_delta', text: piece })))
const thinking = (index: number, ...pieces: string[]) =>
  block(
    index,
    { type: 'thinking', thinking: '', signature: '' },
    ...pieces.map((piece) => ({ type: 'thinking_delta', thinking: piece })),
  )
const toolUse = (index: number) =>
  block(
    index,
    { type: 'tool_use', id: 'toolu_1', name: 'now', input: {} },
    { type: 'input_json_delta', partial_json: '{"n":9007199254740993}' },
  )

test('text as it comes, the reason and the usage at the end', () => {
  expect(framesOf([ADMITTED, delta('Hel'), delta('lo.'), done()])).toEqual([
    START,
    ...text(0, 'Hel', 'lo.'),
    ...end('end_turn'),
  ])
})

test('nothing is sent before the first text, not even the head', () => {
  const dialect = new MessageEvents(CONTEXT)
  expect(dialect.frame(ADMITTED)).toBeUndefined()
  expect(dialect.frame(delta('', ''))).toBeUndefined()
  expect(dialect.frame({ type: 'partial', data: {} })).toBeUndefined()
  expect(dialect.frame(delta('Hi'))).toContain('message_start')
})

test('a head that goes out alone has its start, once', () => {
  const dialect = new MessageEvents(CONTEXT)
  dialect.frame(ADMITTED)
  expect(read(dialect.opening())).toEqual([START])
  expect(dialect.opening()).toBe('')
  expect(read(dialect.frame(delta('Hi')) ?? '')[0]).toMatchObject({ type: 'content_block_start' })
})

test('thoughts, text and calls are blocks one after the other', () => {
  const outcome = done({ reasoning: 'Hm', finish_reason: 'tool_calls', tool_calls: [CALL, CALL] })
  expect(framesOf([ADMITTED, delta('', 'H'), delta('', 'm'), delta('Hello.'), outcome])).toEqual([
    START,
    ...thinking(0, 'H', 'm'),
    ...text(1, 'Hello.'),
    ...toolUse(2),
    ...toolUse(3),
    ...end('tool_use'),
  ])
})

test('thoughts that are not wanted are not sent, and bring no head', () => {
  const hidden = { ...CONTEXT, showsThinking: false }
  expect(new MessageEvents(hidden).frame(delta('', 'Hm'))).toBeUndefined()
  expect(
    framesOf([ADMITTED, delta('', 'Hm'), delta('Hello.', 'x'), done({ reasoning: 'Hmx' })], hidden),
  ).toEqual([START, ...text(0, 'Hello.'), ...end('end_turn')])
})

test('what a backend gave only at the end is not lost', () => {
  expect(framesOf([ADMITTED, done({ reasoning: 'Hm' })])).toEqual([
    START,
    ...thinking(0, 'Hm'),
    ...text(1, 'Hello.'),
    ...end('end_turn'),
  ])
})

test('an answer without text and calls is an empty text; a call alone has none', () => {
  expect(framesOf([ADMITTED, done({ completion: '' })])).toEqual([START, ...text(0), ...end('end_turn')])
  expect(framesOf([ADMITTED, delta('', 'Hm'), done({ completion: '', reasoning: 'Hm' })])).toEqual([
    START,
    ...thinking(0, 'Hm'),
    ...text(1),
    ...end('end_turn'),
  ])
  const called = done({ completion: '', finish_reason: 'tool_calls', tool_calls: [CALL] })
  expect(framesOf([ADMITTED, called])).toEqual([START, ...toolUse(0), ...end('tool_use')])
})

test('a failure is an event with the error, and no end; before the head it has its status', () => {
  const error = { type: 'api_error', message: 'It broke off.' }
  const body = { type: 'error', error, request_id: 'req_1' }
  const frames = framesOf([ADMITTED, delta('Hel'), { type: 'error', outcome: FAILURE }])
  expect(frames.slice(3)).toEqual([body])
  expect(new MessageEvents(CONTEXT).refusal(FAILURE)).toMatchObject({ status: 500, body })
})

test('a ping is an event of its own', () => {
  expect(read(new MessageEvents(CONTEXT).keepAlive())).toEqual([{ type: 'ping' }])
})
