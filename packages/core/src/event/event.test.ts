import { expect, test } from 'vitest'
import { parseEvent, readEventId, withoutUnknownFields } from './event.ts'

function refused(value: unknown): string {
  const result = parseEvent(value)
  if (result.ok) throw new Error('parsed')
  return `${result.failure.code}: ${result.failure.details}`
}

test('all fields are read, unknown ones ignored, null ones unset', () => {
  const parsed = parseEvent({
    content: 'Hi',
    id: 'e1',
    model: 'm',
    backend: null,
    parameters: { max_tokens: 5, stop: 'x', top_p: null, unheard_of: 1 },
    schema: { type: 'object' },
    timeout_ms: 1000,
    priority: -100,
    metadata: { k: 'v' },
    address: 'http://10.0.0.1',
  })
  expect(parsed).toEqual({
    ok: true,
    value: {
      content: 'Hi',
      id: 'e1',
      model: 'm',
      parameters: { max_tokens: 5, stop: ['x'] },
      schema: { type: 'object' },
      timeout_ms: 1000,
      priority: -100,
      metadata: { k: 'v' },
    },
  })
})

test.each<[unknown, string]>([
  [
    { content: 'Hi', id: 'a\uD800' },
    'invalid_input_format: `id` has half of a surrogate pair (\\ud800 to \\udfff).',
  ],
  [undefined, 'invalid_input_format: An event is a JSON object with a `content`; this one is nothing.'],
  [null, 'invalid_input_format: An event is a JSON object with a `content`; this one is null.'],
  ['text', 'invalid_input_format: An event is a JSON object with a `content`; this one is a string.'],
  [[], 'invalid_input_format: An event is a JSON object with a `content`; this one is a list.'],
  [
    {},
    'missing_content_field: The event has no `content`. Send {"content": "…"} with a string, an object or a list.',
  ],
  [
    { content: null },
    'missing_content_field: The event has no `content`. Send {"content": "…"} with a string, an object or a list.',
  ],
  [
    { content: 5 },
    'invalid_input_format: `content` must be a string, an object or a list; it is a whole number.',
  ],
  [
    { content: true },
    'invalid_input_format: `content` must be a string, an object or a list; it is a boolean.',
  ],
  [{ content: 'x', id: '' }, 'invalid_input_format: `id` must not be empty.'],
  [{ content: 'x', id: 5 }, 'invalid_input_format: `id` must be a string; it is a whole number.'],
  [{ content: 'x', timeout_ms: 0 }, 'invalid_input_format: `timeout_ms` must be at least 1.'],
  [{ content: 'x', timeout_ms: 3_600_001 }, 'invalid_input_format: `timeout_ms` must be at most 3600000.'],
  [{ content: 'x', priority: 1.5 }, 'invalid_input_format: `priority` must be a whole number.'],
  [{ content: 'x', priority: 101 }, 'invalid_input_format: `priority` must be at most 100.'],
  [{ content: 'x', parameters: [] }, 'invalid_input_format: `parameters` must be an object; it is a list.'],
  [
    { content: 'x', parameters: { max_tokens: 0 } },
    'invalid_input_format: `parameters.max_tokens` must be at least 1.',
  ],
  [
    { content: 'x', parameters: { max_tokens: '5' } },
    'invalid_input_format: `parameters.max_tokens` must be a number; it is a string.',
  ],
  [
    { content: 'x', parameters: { stop: 5 } },
    'invalid_input_format: `parameters.stop` must be a string or a list; it is a whole number.',
  ],
  [
    { content: 'x', parameters: { stop: [''] } },
    'invalid_input_format: `parameters.stop[0]` must not be empty.',
  ],
  [
    { content: 'x', parameters: { stop: ['a', 5] } },
    'invalid_input_format: `parameters.stop[1]` must be a string; it is a whole number.',
  ],
  [{ content: 'x', parameters: { stop: '' } }, 'invalid_input_format: `parameters.stop` must not be empty.'],
  [
    { content: 'x', parameters: { stop: Array.from({ length: 65 }, () => 'a') } },
    'invalid_input_format: `parameters.stop` is too long (at most 64).',
  ],
  [
    { content: 'x', parameters: { top_k: -2 } },
    'invalid_input_format: `parameters.top_k` must be at least -1.',
  ],
  [{ content: 'x', metadata: 'x' }, 'invalid_input_format: `metadata` must be an object; it is a string.'],
  [{ content: 'x', schema: [] }, 'invalid_input_format: `schema` must be an object; it is a list.'],
])('%j is refused with its path', (value, message) => {
  expect(refused(value)).toBe(message)
})

test.each([
  [{ tools: [], stop: [], logit_bias: {}, response_format: {}, grammar: '', tool_choice: '' }, {}],
  [{ tools: null, stop: null, logit_bias: null, response_format: null, grammar: null, top_k: null }, {}],
  [
    { top_k: -1, seed: 0, temperature: 0 },
    { top_k: -1, seed: 0, temperature: 0 },
  ],
])('what is empty is unset: %j', (parameters, expected) => {
  expect(parseEvent({ content: 'x', parameters })).toMatchObject({ value: { parameters: expected } })
  const read = parseEvent({ content: 'x', parameters })
  expect(read.ok && read.value.parameters).toEqual(expected)
})

test('no message shows a value', () => {
  expect(refused({ content: 'x', model: { secret: 'hunter2' } })).not.toContain('hunter2')
  expect(refused({ content: 'x', parameters: { seed: 'hunter2' } })).not.toContain('hunter2')
})

test('a cyclic event is refused, not walked for ever', () => {
  const metadata: Record<string, unknown> = {}
  metadata.self = metadata
  expect(refused({ content: 'x', metadata })).toContain('nested deeper than 64')
})

test('the id of a refused event can be echoed', () => {
  expect(readEventId({ id: 'mine' })).toBe('mine')
  expect(readEventId({ id: 7 })).toBeUndefined()
  expect(readEventId('text')).toBeUndefined()
})

test('of fields that nobody reads a few names are left, and whatever is no event stays', () => {
  const large = { contnet: 'x'.repeat(101), parameter: {} }
  const event = { content: 'x', id: null, schema: {}, maxTokens: 1, ...large, ['x'.repeat(41)]: 1 }
  expect(withoutUnknownFields(event)).toEqual({
    ...{ content: 'x', id: null, schema: {}, maxTokens: 1 },
    ...{ contnet: null, parameter: null },
  })
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`junk${index}`, 'x']))
  expect(Object.keys(withoutUnknownFields({ content: 'x', ...many }) as object)).toHaveLength(33)
  const known = { content: 'x', metadata: { junk: 1 } }
  expect(withoutUnknownFields(known)).toBe(known)
  expect(withoutUnknownFields(['x'])).toEqual(['x'])
  expect(withoutUnknownFields(null)).toBe(null)
})
