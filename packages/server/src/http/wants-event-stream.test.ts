import { expect, test } from 'vitest'
import { wantsEventStream } from './wants-event-stream.ts'

test.each([
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['application/json', false],
  ['application/cloudevents+json', false],
  ['text/*', false],
  ['text/html, application/xhtml+xml, */*;q=0.8', false],
  ['text/event-stream-of-mine', false],
  ['text/event-stream', true],
  ['Text/Event-Stream', true],
  ['text/event-stream;Q=0.1', true],
  ['text/event-stream;q=0', false],
  ['text/event-stream;q=0.000, application/json;q=0', false],
  ['text/event-stream;q=high', false],
  ['text/event-stream; charset=utf-8; q=0.9, */*;q=0.1', true],
  ['text/event-stream, application/json', true],
  ['text/event-stream, application/cloudevents+json', true],
  ['text/event-stream, */*', true],
  ['application/json;q=0.5, text/event-stream', true],
  ['application/json, text/event-stream;q=0.5', false],
  ['APPLICATION/JSON,TEXT/EVENT-STREAM;Q=0.5', false],
  ['application/cloudevents+json, text/event-stream;q=0.5', false],
  ['*/*, text/event-stream;q=0.5', false],
  ['application/*, text/event-stream;q=0.5', false],
  ['*/*, application/*;q=0.1, text/event-stream;q=0.5', true],
  ['*/*, application/json;q=0, application/cloudevents+json;q=0, text/event-stream;q=0.5', true],
])('Accept: %s → %s', (accept, expected) => {
  expect(wantsEventStream(accept)).toBe(expected)
})
