import { expect, test } from 'vitest'
import { alpacaTemplate } from '../http/transcript.ts'
import { chatBody, fullDialect, learnDialect } from './request-body.ts'

const mistral =
  '{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options","include_usage"]}]}}'
const gateway = '{"error":{"message":"Unknown parameter: \'stream_options\'.","param":"stream_options"}}'
const reasoning =
  '{"error":{"message":"Unsupported parameter: \'max_tokens\'. Use \'max_completion_tokens\' instead."}}'

test.each([
  [422, mistral, { streamUsage: false }],
  [400, gateway, { streamUsage: false }],
  [400, reasoning, { lengthOption: 'max_completion_tokens' }],
  [400, '{"object":"error","message":"top_k must be -1 (disable), or at least 1, got 0."}', { topKOff: -1 }],
  [
    422,
    '{"detail":[{"type":"greater_than_equal","loc":["body","top_k"],"msg":"Input should be greater than or equal to 0"}]}',
    { topKOff: 0 },
  ],
  [400, '{"error":{"message":"top_k is too high"}}', undefined],
  [400, '{"error":{"message":"temperature is too high"}}', undefined],
  [500, gateway, undefined],
])('a refusal with %s teaches %#', (status, text, learned) => {
  expect(learnDialect(fullDialect, status, text)).toEqual(learned)
})

test('a top_k that is off is written as the server takes it', () => {
  const body = (top_k: number, topKOff?: 0 | -1) => {
    const parameters = { max_tokens: 9, temperature: 0, top_p: 1, top_k }
    const dialect = { ...fullDialect, ...(topKOff !== undefined && { topKOff }) }
    const options = { dialect, stream: false, template: alpacaTemplate, model: 'm' }
    return chatBody({ key: 'k', turns: [], parameters }, options).top_k
  }
  expect([body(-1), body(0), body(40)]).toEqual([-1, 0, 40])
  expect([body(-1, 0), body(0, 0), body(40, 0)]).toEqual([0, 0, 40])
  expect([body(-1, -1), body(0, -1), body(40, -1)]).toEqual([-1, -1, 40])
  expect(learnDialect({ ...fullDialect, topKOff: -1 }, 400, 'top_k must be -1')).toBeUndefined()
})

test('what was left out already is not the reason', () => {
  expect(learnDialect({ ...fullDialect, streamUsage: false }, 400, gateway)).toBeUndefined()
  expect(
    learnDialect({ ...fullDialect, lengthOption: 'max_completion_tokens' }, 400, reasoning),
  ).toBeUndefined()
})
