import { FAILURES, type Failure, type FailureCode } from '@ai-ticket/core'

/** Thrown by hooks and parsers for an expected failure; the error handler answers it as `{ error, details }`. */
export class RequestProblem extends Error {
  /** Tells it from other errors, also those of another copy of this package. */
  override readonly name = 'RequestProblem'
  /** What the caller is told. */
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.details)
    this.failure = failure
  }
}

const CODE_OF_FASTIFY: Readonly<Record<string, FailureCode>> = {
  FST_ERR_NOT_FOUND: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
  FST_ERR_VALIDATION: 'invalid_input_format',
}

const CODE_OF_STATUS: Readonly<Record<number, FailureCode>> = {
  401: 'unauthorised',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  409: 'conflict',
  410: 'gone',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  422: 'invalid_input_format',
  429: 'rate_limited',
  431: 'header_too_large',
}

const DETAILS: Partial<Readonly<Record<string, string>>> = {
  FST_ERR_BAD_URL: 'The address is not a valid URL: check its percent-encoding.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its Content-Length says.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send the event as JSON, with `Content-Type: application/json`.',
  payload_too_large: 'The body is larger than this server takes. Send less, or raise its body limit.',
  internal_error: 'The server failed; this is a bug. Its log has a line with this X-Request-Id.',
}

/**
 * What a caller learns about an error. Only our own words: the message of an exception may hold anything, so it stays
 * in the log.
 */
export function failureOfError(error: unknown): Failure {
  if (error instanceof RequestProblem) return error.failure
  const { name, status } = marksOf(error)
  const code = codeOf(name, status)
  return { code, details: DETAILS[name] ?? DETAILS[code] ?? FAILURES[code].summary }
}

function codeOf(name: string, status: number): FailureCode {
  const known = CODE_OF_FASTIFY[name] ?? CODE_OF_STATUS[status]
  if (known !== undefined) return known
  return status >= 400 && status < 500 ? 'invalid_request' : 'internal_error'
}

/** `code` and `statusCode`, as Fastify and its plugins mark their errors. */
function marksOf(error: unknown): { name: string; status: number } {
  if (typeof error !== 'object' || error === null) return { name: '', status: 500 }
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  return {
    name: typeof code === 'string' ? code : '',
    status: typeof statusCode === 'number' ? statusCode : 500,
  }
}
