import { expect, test } from 'vitest'
import { fullDialect, learnDialect } from './request-body.ts'

const mistral =
  '{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"]}]}}'
const gateway = '{"error":{"message":"Unknown parameter: \'stream_options\'.","param":"stream_options"}}'
const reasoning =
  '{"error":{"message":"Unsupported parameter: \'max_tokens\'. Use \'max_completion_tokens\' instead."}}'

test.each([
  [422, mistral, { streamUsage: false }],
  [400, gateway, { streamUsage: false }],
  [400, reasoning, { lengthOption: 'max_completion_tokens' }],
  [400, '{"error":{"message":"temperature is too high"}}', undefined],
  [500, gateway, undefined],
])('a refusal with %s teaches %#', (status, text, learned) => {
  expect(learnDialect(fullDialect, status, text)).toEqual(learned)
})

test('what was left out already is not the reason', () => {
  expect(learnDialect({ ...fullDialect, streamUsage: false }, 400, gateway)).toBeUndefined()
  expect(
    learnDialect({ ...fullDialect, lengthOption: 'max_completion_tokens' }, 400, reasoning),
  ).toBeUndefined()
})
