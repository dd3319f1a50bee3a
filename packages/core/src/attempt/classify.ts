import { BackendError, type BackendErrorKind } from '../contract/backend.ts'
import type { Failure, FailureCode } from '../contract/failure.ts'
import { boundRetryAfter, LONGEST_RETRY_AFTER_MS } from '../contract/failure.ts'
import type { CallFailure } from '../event/run.ts'

const CODE_OF_KIND = {
  connect: 'api_connection_error',
  disconnected: 'api_connection_error',
  dead: 'api_timeout',
  stalled: 'api_timeout',
  status: 'api_server_error',
  endpoint_missing: 'api_client_error',
  not_json: 'api_response_format_error',
  wrong_shape: 'api_response_structure_error',
  lost: 'api_response_structure_error',
  no_model: 'api_response_structure_error',
  interrupted: 'api_stream_interrupted',
  invalid_request: 'api_client_error',
  unsendable: 'invalid_request',
  aborted: 'cancelled',
} as const satisfies Record<BackendErrorKind, FailureCode>

/** Turns what a backend threw into a failure. The only place that picks an `api_…` code. */
export function classify(error: unknown): CallFailure {
  if (!(error instanceof BackendError)) {
    const name = error instanceof Error ? error.name : typeof error
    return foundByDesk({
      code: 'internal_error',
      details: `The backend adapter threw ${name}, which is not a BackendError; this is a bug of the adapter.`,
    })
  }
  // An adapter of somebody else's may say anything.
  const retryAfterMs = boundRetryAfter(error.retryAfterMs, LONGEST_RETRY_AFTER_MS.backend)
  return {
    code: codeOf(error),
    details: error.message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    endpointMissing: error.kind === 'endpoint_missing',
    modelUnknown: error.reason === 'model_unknown' || error.reason === 'model_gone',
    status: error.status,
    stopped: error.stopped,
    stoppedAfterMs: error.stoppedAfterMs,
    partial: error.partial,
    kind: error.kind,
    isBusy: codeOf(error) === 'api_rate_limited',
    ...(error.reason === 'tls' && { isBeyondRepair: true }),
  }
}

/** A fault that the desk itself found in a call that had ended. */
export const foundByDesk = (failure: Failure): CallFailure => ({
  ...failure,
  endpointMissing: false,
  modelUnknown: false,
  status: undefined,
  stopped: undefined,
  partial: undefined,
  kind: undefined,
  isBusy: false,
})

function codeOf(error: BackendError): FailureCode {
  if (error.reason === 'runtime') return 'configuration_error'
  // An error in a reply with status 200 says its reason as one with its own status does.
  const hasReason = error.kind === 'wrong_shape' && error.reason !== undefined
  return error.kind === 'status' || hasReason ? codeOfStatus(error) : CODE_OF_KIND[error.kind]
}

function codeOfStatus({ status = 0, reason }: BackendError): FailureCode {
  if (reason === 'context_length') return 'context_length_exceeded'
  if (reason === 'bad_input') return 'api_client_error'
  if (status === 401 || status === 403 || reason === 'authentication') return 'api_authentication_error'
  if (reason === 'busy' || status === 429) return 'api_rate_limited'
  // KoboldCPP answers 500 where a request is wrong, llama.cpp where its template refuses it; that never gets better.
  if (reason !== undefined && REFUSALS.has(reason)) return 'api_client_error'
  return status >= 500 || PASSING.has(status) ? 'api_server_error' : 'api_client_error'
}

/** The server did not read the request in time, or did not want it so early: that passes. */
const PASSING: ReadonlySet<number> = new Set([408, 425])

const REFUSALS: ReadonlySet<BackendError['reason']> = new Set([
  ...(['bad_input', 'model_unknown', 'model_gone', 'template', 'option'] as const),
])
