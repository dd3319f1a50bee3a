import { FAILURE_CODES, FAILURES, type FailureCode } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { failureOutcome } from '../../test/fake-dispatcher.ts'
import { errorReply, outcomeFailure } from './error-reply.ts'

const replyTo = (code: FailureCode) => errorReply(outcomeFailure(failureOutcome(code)))

test('a failure has all four keys, and the code of the desk', () => {
  expect(errorReply({ code: 'payload_too_large', details: 'Send less.' })).toEqual({
    status: 413,
    headers: {},
    body: {
      error: {
        message: 'Send less.',
        type: 'invalid_request_error',
        param: null,
        code: 'payload_too_large',
      },
    },
  })
})

test.each([
  ['unauthorised', 401, 'invalid_request_error', 'invalid_api_key'],
  ['forbidden', 403, 'permission_error', 'forbidden'],
  ['not_found', 404, 'invalid_request_error', 'model_not_found'],
  ['rate_limited', 429, 'rate_limit_error', 'rate_limited'],
  ['context_length_exceeded', 400, 'invalid_request_error', 'context_length_exceeded'],
  ['prompt_extraction_failed', 400, 'invalid_request_error', 'prompt_extraction_failed'],
  ['api_timeout', 504, 'server_error', 'api_timeout'],
  ['capacity_exceeded', 503, 'server_error', 'capacity_exceeded'],
] as const)('%s is %i %s %s', (code, status, type, openAiCode) => {
  const reply = replyTo(code)
  expect(reply).toMatchObject({ status, body: { error: { type, code: openAiCode } } })
})

test('an address that is not there is no unknown model', () => {
  expect(errorReply({ code: 'not_found', details: 'Nothing here.' })).toMatchObject({
    status: 404,
    body: { error: { code: 'not_found', param: null } },
  })
})

test.each(FAILURE_CODES)('after %s, who repeats by the status alone is told whether it helps', (code) => {
  const { status, headers } = replyTo(code)
  const repeated = [408, 409, 429].includes(status) || status >= 500 || FAILURES[code].stage === 'attempt'
  if (repeated && code !== 'conflict') expect(headers['x-should-retry']).toMatch(/^(true|false)$/)
  else expect(headers['x-should-retry']).toBeUndefined()
})

test('a full line says when to come back, a failed backend that it is no use', () => {
  const full = failureOutcome('capacity_exceeded', { retry_after_ms: 7_000 })
  expect(errorReply(outcomeFailure(full)).headers).toEqual({ 'retry-after': '7', 'x-should-retry': 'true' })
  expect(replyTo('api_server_error').headers).toEqual({ 'x-should-retry': 'false' })
  expect(replyTo('deadline_exceeded').headers).toEqual({ 'x-should-retry': 'false' })
})

test.each([
  [
    '`content.messages[1].role` must be one of system, user.',
    'messages[1].role',
    '`messages[1].role` must be',
  ],
  ['`parameters.temperature` must be at most 5.', 'temperature', '`temperature` must be at most 5.'],
  ['`model` must not be empty.', 'model', '`model` must not be empty.'],
])('%s names the field of the request', (details, param, message) => {
  const outcome = failureOutcome('invalid_input_format', { details })
  expect(errorReply(outcomeFailure(outcome)).body).toMatchObject({
    error: { param, message: expect.stringContaining(message) },
  })
})

test('what no backend can carry is the fault of the request, what a backend refused is not', () => {
  const asked = {
    backend: 'kobold',
    endpoint: 'chat',
    number: 1,
    started_at: '2026-01-01T00:00:00.000Z',
    duration_ms: 1,
    waited_ms: 0,
    result: 'api_client_error',
  } as const
  const refused = failureOutcome('api_client_error', { attempts: [asked] })
  expect(replyTo('api_client_error').status).toBe(400)
  expect(errorReply(outcomeFailure(refused)).status).toBe(502)
})
