import { type KoboldVersion, loadExchange, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { sendRaw } from './raw-request.ts'

// The simulator is held against real servers: the same request must give the same status line, the same
// header lines in the same order and the same JSON fields in the same order.

const both = [
  'abort-idle',
  'abort-idle-unknown-genkey',
  'abort-no-body',
  'chat-authorization-ignored',
  'chat-content-parts',
  'chat-empty-messages',
  'chat-n-2',
  'chat-no-model-field',
  'chat-normal',
  'chat-stream',
  'chat-stream-include-usage',
  'chat-stream-slow-model',
  'chat-under-api-prefix',
  'check-get-idle',
  'check-post-idle',
  'check-post-malformed',
  'completions-normal',
  'completions-prompt-list',
  'completions-stream',
  'completions-stream-include-usage',
  'error-bad-utf8',
  'error-chat-content-number',
  'error-chat-malformed-json',
  'error-chat-max-tokens-null',
  'error-chat-message-content-null',
  'error-chat-message-without-content',
  'error-chat-message-without-role',
  'error-chat-messages-null',
  'error-chat-messages-string',
  'error-chat-missing-messages',
  'error-chat-stop-null',
  'error-chat-temperature-null',
  'error-chat-unknown-role',
  'error-completions-missing-prompt',
  'error-content-length-40-mb',
  'error-content-length-not-a-number',
  'error-empty-body',
  'error-json-array-body',
  'error-json-null-body',
  'error-malformed-json',
  'error-max-length-string',
  'error-missing-prompt',
  'error-no-body',
  'error-prompt-array',
  'error-prompt-null',
  'error-prompt-number',
  'error-stop-sequence-numbers',
  'error-temperature-null',
  'error-temperature-string',
  'generate-keep-alive',
  'generate-latest-alias',
  'generate-max-length-0',
  'generate-max-length-negative',
  'generate-normal',
  'generate-unknown-fields',
  'get-any-prefix',
  'get-extra-perf-idle',
  'get-extra-version',
  'get-info-version',
  'get-max-context-length',
  'get-max-length',
  'get-model',
  'get-models',
  'get-models-under-api-prefix',
  'get-on-post-endpoint',
  'get-query-string',
  'get-trailing-slash',
  'get-true-max-context-length',
  'get-unknown-path',
  'method-head-generate',
  'method-head-unknown-path',
  'method-options-generate',
  'password-abort-no-auth',
  'password-chat-no-auth',
  'password-chat-right',
  'password-check-get-no-auth',
  'password-check-no-auth',
  'password-generate-basic-auth',
  'password-generate-lowercase-bearer',
  'password-generate-no-auth',
  'password-generate-right',
  'password-generate-wrong',
  'password-malformed-json-no-auth',
  'password-model-no-auth',
  'password-model-right',
  'password-models-no-auth',
  'password-perf-no-auth',
  'password-stream-no-auth',
  'password-tokencount-no-auth',
  'password-version-no-auth',
  'post-on-get-endpoint',
  'post-query-string',
  'post-unknown-path',
  'stream-malformed-json',
  'stream-max-length-0',
  'stream-normal',
  'stream-slow-model',
  'tokencount',
  'tokencount-empty',
  'tokencount-malformed-json',
  'tokencount-missing-prompt',
  'tokencount-no-special',
  'tokencount-prompt-number',
] as const

const cases: readonly (readonly [KoboldVersion, string])[] = [
  ...both.map((name) => ['1.76', name] as const),
  ...both.map((name) => ['1.115.1', name] as const),
  ['1.76', 'no-model-chat'],
  ['1.76', 'no-model-generate'],
  ['1.76', 'no-model-get-model'],
  ['1.76', 'no-model-stream'],
  ['1.76', 'no-model-version'],
  ['1.115.1', 'error-chunked-request-body'],
  ['1.115.1', 'new-chat-prefixed-without-v1'],
  ['1.115.1', 'new-chat-unprefixed'],
  ['1.115.1', 'new-get-health'],
  ['1.115.1', 'new-get-models-unprefixed'],
  ['1.115.1', 'new-get-ping'],
  ['1.115.1', 'new-no-model-chat'],
  ['1.115.1', 'new-no-model-generate'],
  ['1.115.1', 'new-no-model-models'],
  ['1.115.1', 'new-no-model-perf'],
  ['1.115.1', 'new-no-model-stream'],
  ['1.115.1', 'new-no-model-tokencount'],
  ['1.115.1', 'new-no-model-version'],
]

/** What a body is made of: field names in order and kinds of values, without the values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value
  return Object.entries(value).map(([key, field]) => [key, shapeOf(field)])
}

/** Neighbours of the same shape count once: how many tokens came is not the point. */
function streamShape(body: string): unknown[] {
  const shapes: unknown[] = []
  for (const line of body.split('\n')) {
    const data = line.startsWith('data: {') ? ['data', shapeOf(JSON.parse(line.slice(6)))] : line
    shapes.push(data)
  }
  const events = shapes.map((shape) => JSON.stringify(shape)).join('\n')
  let reduced = events
  // One event of N equal ones in a row (an event is one to three lines) stands for all.
  for (let before = ''; before !== reduced; ) {
    before = reduced
    reduced = reduced.replace(/((?:"event: message"\n)?\["data".*\n""\n)\1/g, '$1')
  }
  return reduced.split('\n')
}

function bodyShape(body: string): unknown {
  if (body.startsWith('data: ') || body.startsWith('event: ')) return streamShape(body)
  return body.startsWith('{') || body.startsWith('[') || body === 'null' ? shapeOf(JSON.parse(body)) : body
}

test.for(cases)('[%s] %s has the shape of the recorded one', async ([version, name]) => {
  const { request, response } = loadExchange(version, name)
  const password = name.startsWith('password-') ? { password: 's3cret' } : {}
  await using simulator = await startKoboldSimulator({
    version,
    contextLength: 512,
    tokensPerSecond: name.endsWith('slow-model') ? 1000 : Number.POSITIVE_INFINITY,
    model: name.includes('no-model-') && !name.includes('field') ? null : 'koboldcpp/stories260K',
    ...password,
  })
  const reply = await sendRaw(simulator.port, recordedBytes(request))

  if (response.status === null) {
    expect(reply.statusLine).toBe('')
    return
  }
  expect(reply.statusLine).toBe(`${response.httpVersion} ${response.status} ${response.statusText}`)
  expect(reply.headerNames).toEqual(response.rawHeaders?.map((line) => line.slice(0, line.indexOf(':'))))
  const recorded = response.body ?? response.chunks?.map(({ text }) => text).join('') ?? ''
  expect(bodyShape(reply.body)).toEqual(bodyShape(recorded))
})

/** Bodies that the recording only describes, as they were. */
function recordedBytes(request: ReturnType<typeof loadExchange>['request']) {
  if (request.headers['Transfer-Encoding'] !== 'chunked') return request
  const json = (request.body ?? '').replace(/^\(one chunk\) /, '')
  return { ...request, body: `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n` }
}
