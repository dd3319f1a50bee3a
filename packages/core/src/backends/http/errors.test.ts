import { expect, test } from 'vitest'
import { BackendError } from '../../contract/backend.ts'
import { connectionError, statusError } from './errors.ts'

const place = { backend: 'box', endpoint: 'chat' }

function fromStatus(status: number, text = '', headers: Record<string, string> = {}) {
  return statusError(place, { status, text, headers: new Headers(headers), wallTimeMs: 0 })
}

const openAi = (fields: object) => JSON.stringify({ error: { message: 'my secret prompt', ...fields } })
const kobold = (type: string) => JSON.stringify({ detail: { msg: 'my secret prompt', type } })

test.each([
  [404, '', 'endpoint_missing', undefined],
  [405, '', 'endpoint_missing', undefined],
  [501, '<html>', 'endpoint_missing', undefined],
  [404, openAi({ code: 'model_not_found' }), 'status', 'model_unknown'],
  [400, openAi({ code: 'context_length_exceeded' }), 'status', 'context_length'],
  [400, openAi({ type: 'exceed_context_size_error' }), 'status', 'context_length'],
  [400, "This model's maximum context length is 4096 tokens.", 'status', 'context_length'],
  [400, 'the request exceeds the available context size', 'status', 'context_length'],
  [400, openAi({ code: 'other' }), 'status', undefined],
  [500, kobold('bad_input'), 'status', 'bad_input'],
  [500, 'the context length of my code', 'status', undefined],
  [503, kobold('service_unavailable'), 'status', 'busy'],
  [429, '', 'status', 'busy'],
  [401, kobold('unauthorized'), 'status', 'authentication'],
  [403, '', 'status', 'authentication'],
  [302, '', 'status', undefined],
  [502, '<html>bad gateway</html>', 'status', undefined],
  [500, '{"detail": null}', 'status', undefined],
  [500, '{"detail": "text"}', 'status', undefined],
] as const)('status %s with %j is %s, reason %s', (status, text, kind, reason) => {
  const error = fromStatus(status, text)
  expect(error).toMatchObject({ kind, status, reason, stopped: 'ended' })
  expect(error.message).toContain('box (chat)')
  expect(error.message).toContain(`${status}`)
  expect(error.message).not.toContain('secret')
})

const words = 'The input (9000 tokens) is longer than the context length of 4096 tokens.'

test.each([
  { detail: { error: { message: words, type: 'BadRequestError', code: 400 } } },
  { error: { error: { message: words } } },
  { detail: { error: words } },
  { error: { message: JSON.stringify({ error: { message: words } }), type: 'upstream_error' } },
  { errors: [{ message: words }] },
  { message: { message: words } },
  { error: { code: 400, details: [{ msg: words }] } },
  { statusCode: 400, error: 'Bad Request', message: words },
  [{ message: words }],
])('the words of an error that is packed into another are found: %j', (body) => {
  expect(fromStatus(400, JSON.stringify(body))).toMatchObject({ reason: 'context_length' })
  expect(fromStatus(500, `data: ${JSON.stringify(body)}\n\n`)).toMatchObject({ reason: 'context_length' })
})

test('what was sent is not read for words, though a server repeats it', () => {
  const detail = [{ loc: ['body'], msg: 'Field required', input: { messages: words } }]
  expect(fromStatus(422, JSON.stringify({ detail })).reason).toBeUndefined()
  expect(fromStatus(422, JSON.stringify({ error: { message: 'no', body: words } })).reason).toBeUndefined()
})

test('Retry-After is read beside the reason', () => {
  expect(fromStatus(429, '', { 'retry-after': '7' })).toMatchObject({ reason: 'busy', retryAfterMs: 7000 })
})

test.each([{ 'retry-after': '9999999999999' }, { 'retry-after-ms': '9999999999999' }, {}])(
  'a pause of centuries is an hour: %j',
  (headers) => {
    const text = 'You are sending requests too quickly. Please try again in 9999999999999 seconds.'
    expect(fromStatus(503, text, headers)).toMatchObject({ reason: 'busy', retryAfterMs: 3_600_000 })
  },
)

const coded = (code: string, message = 'low level') => Object.assign(new Error(message), { code })
const wrapped = (inner: Error) => new TypeError('fetch failed', { cause: inner })

test.each([
  ['refused', coded('ECONNREFUSED'), true, 'connect'],
  ['refused inside fetch', wrapped(coded('ECONNREFUSED')), true, 'connect'],
  ['an unknown host', coded('ENOTFOUND'), false, 'connect'],
  ['a connect timeout', coded('UND_ERR_CONNECT_TIMEOUT'), false, 'connect'],
  ['a reset during the handshake', coded('ECONNRESET'), false, 'connect'],
  ['a reset after the request', coded('ECONNRESET'), true, 'disconnected'],
  ['an empty reply', coded('UND_ERR_SOCKET'), true, 'disconnected'],
  ['something nobody knows', 'a string', true, 'disconnected'],
  ['a reply without end', coded('UND_ERR_RES_EXCEEDED_MAX_SIZE'), true, 'wrong_shape'],
])('%s: %s', (_, error, sent, kind) => {
  const made = connectionError(place, error, sent)
  expect(made).toMatchObject({ kind, stopped: kind === 'connect' ? 'not_sent' : 'ended', cause: error })
})

test('an error of ours stays what it is', () => {
  const error = new BackendError('not_json', 'x')
  expect(connectionError(place, error, true)).toBe(error)
})
