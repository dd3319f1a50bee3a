import { expect, test } from 'vitest'
import { EMPTY, eventOf } from './draft.ts'

test('an event has what was filled in, and nothing else', () => {
  expect(eventOf({ ...EMPTY, prompt: 'Hi' })).toEqual({ ok: true, event: { content: 'Hi' } })
  const all = { model: ' m ', backend: 'big', maxTokens: '5', temperature: '0', priority: '-3' }
  expect(
    eventOf({ ...EMPTY, prompt: 'Hi', ...all, schema: '{"type":"object"}', metadata: '{"a":1}' }),
  ).toEqual({
    ok: true,
    event: {
      content: 'Hi',
      model: 'm',
      backend: 'big',
      parameters: { max_tokens: 5, temperature: 0 },
      priority: -3,
      schema: { type: 'object' },
      metadata: { a: 1 },
    },
  })
})

test('a conversation has the turns that were written, and times are those of the reader', () => {
  const turns = [
    { role: 'system', content: ' ' },
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ] as const
  const times = { timeout: '90', notBefore: '2026-03-01T08:00', expires: '2026-03-01T09:30' }
  expect(
    eventOf({ ...EMPTY, form: 'messages', turns, ...times, callback: ' https://hooks.example/done ' }),
  ).toEqual({
    ok: true,
    event: {
      content: { messages: [turns[1], turns[2]] },
      timeout_ms: 90_000,
      not_before: new Date('2026-03-01T08:00').toISOString(),
      expires_at: new Date('2026-03-01T09:30').toISOString(),
      callback_url: 'https://hooks.example/done',
    },
  })
  expect(eventOf({ ...EMPTY, form: 'messages' })).toEqual({ ok: false, problem: 'Write a prompt first.' })
})

test('what is no number goes to the server as it is, which says what it wants', () => {
  expect(eventOf({ ...EMPTY, prompt: 'Hi', priority: 'high' })).toMatchObject({ event: { priority: 'high' } })
})

test('what is no JSON is told here', () => {
  expect(eventOf({ ...EMPTY, prompt: 'Hi', schema: '{' })).toMatchObject({
    problem: expect.stringMatching(/^The schema is not/),
  })
  expect(eventOf({ ...EMPTY, form: 'json', event: '[]' })).toEqual({
    ok: false,
    problem: 'The event must be a JSON object.',
  })
  expect(eventOf(EMPTY)).toEqual({ ok: false, problem: 'Write a prompt first.' })
})
