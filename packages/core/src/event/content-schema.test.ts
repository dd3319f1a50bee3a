import fc from 'fast-check'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { ContentSchema } from './content-schema.ts'
import { extractPrompt } from './extract-prompt.ts'

/** Mostly right, sometimes not, so that both verdicts come up often. */
const oneOf = (...values: unknown[]) => fc.constantFrom(...values)
const image = oneOf('data:image/png;base64,AA==', 'https://example.com/a.png', 7)
const part = fc.oneof(
  fc.record({ type: oneOf('text', 'audio'), text: oneOf('Hi', 7) }),
  fc.record({ type: fc.constant('image_url'), image_url: fc.oneof(image, fc.record({ url: image })) }),
)
const text = fc.oneof(fc.constant('Hi'), oneOf(null, 7), fc.array(fc.oneof(fc.constant('Hi'), part)))
const message = fc.record(
  {
    role: oneOf('user', 'system', 'developer', 'assistant', 'tool', 'robot'),
    content: text,
    tool_calls: oneOf([], [{}], null),
    name: oneOf('n', 7),
  },
  { requiredKeys: ['role'] },
)
const list = fc.oneof(
  fc.array(message, { maxLength: 3 }),
  fc.array(fc.constant('Hi'), { maxLength: 3 }),
  fc.array(part, { maxLength: 3 }),
  fc.array(fc.oneof(message, part, oneOf('Hi', 7, null)), { maxLength: 3 }),
)
const object = fc.record(
  {
    prompt: oneOf('Hi', null, 7),
    messages: fc.oneof(list, oneOf(null, 'Hi')),
    temperature: oneOf(0.5, 9, null),
    stop: oneOf('x', [], [''], 7),
    max_tokens: oneOf(1, 0, 1.5),
  },
  { requiredKeys: [] },
)

test('the schema of a content takes what is read as a prompt, and nothing else', () => {
  const seen = { true: 0, false: 0 }
  fc.assert(
    fc.property(fc.oneof(list, object), (content) => {
      const read = extractPrompt(content)
      const isReadable = read.ok || read.failure.code !== 'invalid_input_format'
      seen[`${isReadable}`]++
      expect(v.is(ContentSchema, content)).toBe(isReadable)
    }),
    { numRuns: 2_000 },
  )
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(400)
})
