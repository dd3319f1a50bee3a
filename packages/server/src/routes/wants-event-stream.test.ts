import { expect, test } from 'vitest'
import { wantsEventStream } from './event.ts'

test.each([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['text/*', false],
  ['text/event-stream', true],
  ['Text/Event-Stream', true],
  ['text/event-stream, application/json', true],
  ['application/json;q=0.5, text/event-stream', true],
  ['application/json, text/event-stream;q=0.5', false],
  ['text/event-stream;q=0', false],
  ['text/event-stream; charset=utf-8; q=0.9, */*;q=0.1', true],
])('Accept: %s → %s', (accept, expected) => {
  expect(wantsEventStream(accept)).toBe(expected)
})
