import { expect, test } from 'vitest'
import { failureOfError, RequestProblem } from './request-problem.ts'

const marked = (marks: object) => Object.assign(new Error('secret words'), marks)

test.each([
  [marked({ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }), 'payload_too_large'],
  [marked({ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }), 'unsupported_media_type'],
  [marked({ code: 'FST_ERR_CTP_INVALID_CONTENT_LENGTH', statusCode: 400 }), 'invalid_request'],
  [marked({ code: 'FST_ERR_VALIDATION', statusCode: 400 }), 'invalid_input_format'],
  [marked({ code: 'FST_ERR_MAX_PARAM_LENGTH', statusCode: 414 }), 'not_found'],
  [marked({ statusCode: 403 }), 'forbidden'],
  [marked({ statusCode: 418 }), 'invalid_request'],
  [marked({ statusCode: 503 }), 'internal_error'],
  [marked({}), 'internal_error'],
  ['thrown text', 'internal_error'],
  [null, 'internal_error'],
])('%j is %s, in our words', (error, code) => {
  const failure = failureOfError(error)
  expect(failure.code).toBe(code)
  expect(failure.details).not.toMatch(/secret|thrown/)
})

test('a problem of our own is told as it is', () => {
  const failure = { code: 'forbidden', details: 'Not by this name.' } as const
  expect(failureOfError(new RequestProblem(failure))).toBe(failure)
})
