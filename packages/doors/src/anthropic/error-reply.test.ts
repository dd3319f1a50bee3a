import { FAILURE_CODES, type FailureCode, type FailureOutcome } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { ANTHROPIC_DIALECT, errorReply, messageFailure } from './error-reply.ts'

/** Status, type and `x-should-retry` of every code. */
const TABLE: Readonly<Record<FailureCode, readonly [status: number, type: string, shouldRetry?: boolean]>> = {
  invalid_request: [400, 'invalid_request_error'],
  invalid_input_format: [400, 'invalid_request_error'],
  missing_content_field: [400, 'invalid_request_error'],
  unauthorised: [401, 'authentication_error'],
  forbidden: [403, 'permission_error'],
  not_found: [404, 'not_found_error'],
  method_not_allowed: [405, 'invalid_request_error'],
  request_timeout: [408, 'invalid_request_error', true],
  conflict: [409, 'invalid_request_error'],
  gone: [410, 'invalid_request_error'],
  payload_too_large: [413, 'request_too_large'],
  unsupported_media_type: [415, 'invalid_request_error'],
  rate_limited: [429, 'rate_limit_error', true],
  header_too_large: [431, 'invalid_request_error'],
  prompt_extraction_failed: [400, 'invalid_request_error'],
  context_length_exceeded: [400, 'invalid_request_error'],
  idempotency_key_reused: [422, 'api_error'],
  callback_not_allowed: [422, 'api_error'],
  api_client_error: [500, 'api_error', false],
  api_authentication_error: [500, 'api_error', false],
  api_rate_limited: [503, 'api_error', false],
  api_server_error: [500, 'api_error', false],
  api_connection_error: [503, 'api_error', false],
  api_timeout: [504, 'timeout_error', false],
  api_response_format_error: [500, 'api_error', false],
  api_response_structure_error: [500, 'api_error', false],
  api_stream_interrupted: [500, 'api_error', false],
  output_schema_mismatch: [422, 'api_error', false],
  capacity_exceeded: [529, 'overloaded_error', true],
  shutting_down: [503, 'api_error', true],
  store_unavailable: [503, 'api_error', true],
  deadline_exceeded: [504, 'timeout_error', false],
  cancelled: [499, 'invalid_request_error'],
  configuration_error: [500, 'api_error', false],
  internal_error: [500, 'api_error', false],
}

test.each(FAILURE_CODES)('%s in Anthropic’s words', (code) => {
  const [status, type, shouldRetry] = TABLE[code]
  const reply = errorReply({ code, details: 'Why.' }, 'req_1')
  const message = code === 'context_length_exceeded' ? 'prompt is too long: Why.' : 'Why.'
  expect(reply).toMatchObject({ status, headers: { 'request-id': 'req_1' } })
  expect(reply.body).toEqual({ type: 'error', error: { type, message }, request_id: 'req_1' })
  expect(reply.headers['x-should-retry']).toBe(shouldRetry === undefined ? undefined : String(shouldRetry))
})

test.each(FAILURE_CODES)('%s says when to come back, where that helps', (code) => {
  const { status, headers } = errorReply({ code, details: 'Why.', retryAfterMs: 2_500 }, 'req_1')
  if ([429, 503, 529].includes(status)) expect(headers['retry-after']).toBe('3')
})

const outcome = (
  error: FailureCode,
  details: string,
  more: Partial<FailureOutcome> = {},
): FailureOutcome => ({
  ...{ error, details, id: 'evt_1', duration_ms: 1, attempts: [] },
  ...more,
})

const messageOf = (failed: FailureOutcome) =>
  (errorReply(messageFailure(failed), 'req_1').body as { error: { message: string } }).error.message

test('the words on which Claude Code shortens its conversation', () => {
  const remedy = 'shorten it, start a new conversation, or load the model with a larger context.'
  const tooLong = (prompt: string) =>
    messageOf(outcome('context_length_exceeded', `${prompt}, and the context holds 32768: ${remedy}`))
  expect(tooLong('The prompt has 40000 tokens')).toBe('prompt is too long: 40000 tokens > 32768 maximum')
  expect(tooLong('The prompt has 40000 tokens (tools: up to 9000)')).toBe(
    'prompt is too long: 40000 tokens > 32768 maximum',
  )
  expect(tooLong('The prompt has 32760 tokens')).toBe('prompt is too long: 32760 tokens > 32759 maximum')
})

test('fields are named as the request has them', () => {
  expect(messageOf(outcome('invalid_input_format', '`parameters.stop` is too long (at most 64).'))).toBe(
    '`stop_sequences` is too long (at most 64).',
  )
  expect(messageOf(outcome('invalid_input_format', '`schema.properties` must be an object.'))).toBe(
    '`output_config.format.schema.properties` must be an object.',
  )
  expect(messageOf(outcome('invalid_input_format', '`parameters.max_tokens` must be at least 1.'))).toBe(
    '`max_tokens` must be at least 1.',
  )
  expect(messageOf(outcome('prompt_extraction_failed', 'Put the text into `content`.'))).toBe(
    'The request holds no text and no image. Put the text into a message.',
  )
})

test('a refusal of the desk, before any backend was asked, is the request’s fault', () => {
  const failed = outcome('api_client_error', 'No backend takes images.')
  expect(errorReply(messageFailure(failed), 'req_1')).toMatchObject({
    status: 400,
    body: { error: { type: 'invalid_request_error' } },
  })
  expect(ANTHROPIC_DIALECT.statusesOf?.('api_client_error')).toEqual([500, 400])
})

test('it is spoken at its own addresses only', () => {
  expect(['/v1/messages', '/v1/messages/count_tokens'].every(ANTHROPIC_DIALECT.covers)).toBe(true)
  expect(['/v1/messages2', '/v1/models', '/messages'].some(ANTHROPIC_DIALECT.covers)).toBe(false)
})
