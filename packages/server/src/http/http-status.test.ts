import { FAILURE_CODES } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { HTTP_STATUS } from './http-status.ts'

// Red means: was this meant? Clients branch on these numbers.
test('the status of every code is as published', () => {
  expect(HTTP_STATUS).toEqual({
    invalid_request: 400,
    invalid_input_format: 400,
    missing_content_field: 400,
    unauthorised: 401,
    forbidden: 403,
    not_found: 404,
    method_not_allowed: 405,
    request_timeout: 408,
    conflict: 409,
    gone: 410,
    payload_too_large: 413,
    unsupported_media_type: 415,
    rate_limited: 429,
    header_too_large: 431,
    prompt_extraction_failed: 422,
    context_length_exceeded: 422,
    idempotency_key_reused: 422,
    callback_not_allowed: 422,
    api_client_error: 502,
    api_authentication_error: 502,
    api_rate_limited: 503,
    api_server_error: 502,
    api_connection_error: 503,
    api_timeout: 504,
    api_response_format_error: 502,
    api_response_structure_error: 502,
    api_stream_interrupted: 502,
    output_schema_mismatch: 502,
    capacity_exceeded: 503,
    shutting_down: 503,
    store_unavailable: 503,
    deadline_exceeded: 504,
    cancelled: 499,
    configuration_error: 500,
    internal_error: 500,
  })
})

test('every code of core has one', () => {
  expect(Object.keys(HTTP_STATUS).sort()).toEqual([...FAILURE_CODES].sort())
})
