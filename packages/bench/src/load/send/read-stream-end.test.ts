import { expect, test } from 'vitest'
import { readStreamEnd } from './read-stream-end.ts'

const delta = 'event: delta\ndata: {"text":"done"}\n\n'

test.each([
  ['a stream that ended', `${delta}event: done\ndata: {"completion":"done"}\n\n`, ['completed']],
  ['one that failed', `: ping\n\n${delta}event: error\ndata: {"error":"api_timeout"}\n\n`, ['api_timeout']],
  ['one that was cut', delta, []],
  ['one cut in its last event', `${delta}event: done\ndata: {"completion":"done"}`, ['completed']],
])('%s', (_what, text, expected) => {
  expect(readStreamEnd(text)).toEqual(expected)
})
