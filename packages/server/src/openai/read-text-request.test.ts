import { expect, test } from 'vitest'
import { readTextRequest } from './read-request.ts'

test.each([['Once upon'], [['Once upon']]])('the prompt %j is one prompt', (prompt) => {
  expect(
    readTextRequest({ prompt, model: 'tiny', max_tokens: 5, n: 1, best_of: 1, echo: false }),
  ).toMatchObject({
    ok: true,
    value: { event: { content: { prompt: 'Once upon' }, model: 'tiny', parameters: { max_tokens: 5 } } },
  })
})

test.each([
  [undefined, /^`prompt` must be a string\.$/],
  [7, /^`prompt` must be a string\.$/],
  [['one', 'two'], /^`prompt` holds several prompts/],
  [[], /token numbers are not supported/],
  [[1, 2], /token numbers are not supported/],
  [[[1, 2]], /token numbers are not supported/],
])('the prompt %j is refused', (prompt, details) => {
  expect(readTextRequest({ prompt })).toMatchObject({
    ok: false,
    failure: { code: 'invalid_input_format', details: expect.stringMatching(details) },
  })
})

test.each([
  ['echo', true],
  ['suffix', ' the end'],
  ['best_of', 3],
])('%s: %j is refused by name', (name, value) => {
  const read = readTextRequest({ prompt: 'Hi', [name]: value })
  expect(read).toMatchObject({ ok: false, failure: { details: expect.stringMatching(`^\`${name}\` `) } })
})

test('tools are refused, for a completion has no place for their calls', () => {
  const tools = [{ type: 'function', function: { name: 'now' } }]
  const expected = {
    failure: { code: 'invalid_input_format', details: expect.stringMatching(/^`tools` .*chat/) },
  }
  expect(readTextRequest({ prompt: 'Hi', tools })).toMatchObject(expected)
  expect(readTextRequest({ prompt: 'Hi', tools: [] })).toMatchObject({ ok: true })
  expect(readTextRequest({ prompt: 'Hi', tools: null })).toMatchObject({ ok: true })
})
