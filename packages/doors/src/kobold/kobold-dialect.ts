import type { Failure, FailureCode } from '@ai-ticket/core'
import { type FailureDialect, HTTP_STATUS } from '@ai-ticket/http-server'
import { failureHeaders } from '../shared/failure-headers.ts'

/** What KoboldCPP calls a failure; its clients show `msg`, and some go by `type`. */
type KoboldErrorType = 'bad_input' | 'service_unavailable' | 'unauthorized' | 'server_error'

/**
 * Where the status differs from the one of the desk's own words. KoboldCPP answers 500 to a request that it cannot read;
 * the KoboldAI API says 422, which AI Horde's worker takes for "give this job up". A repeat never helps here.
 */
const STATUS: Partial<Readonly<Record<FailureCode, number>>> = {
  invalid_request: 422,
  invalid_input_format: 422,
  missing_content_field: 422,
  prompt_extraction_failed: 422,
  context_length_exceeded: 422,
  // The worker waits after a 503, and gives up after a 429.
  rate_limited: 503,
}

/** Statuses above 500 that these clients can do something with; the rest of them are 500. */
const KEPT: readonly number[] = [503, 504]

function statusOf(code: FailureCode): number {
  const status = STATUS[code] ?? HTTP_STATUS[code]
  return status < 500 || KEPT.includes(status) ? status : 500
}

function typeOf(status: number): KoboldErrorType {
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 503) return 'service_unavailable'
  return status >= 500 ? 'server_error' : 'bad_input'
}

/** `{"detail": {msg, type}}`, as KoboldCPP has it. */
export const koboldDialect: FailureDialect = {
  name: 'KoboldError',
  // What else is below `/api` belongs to Ollama's API.
  covers: (path) => /^\/api\/(?:v1|latest|extra)(?:\/|$)/.test(path),
  reply(failure: Failure) {
    const status = statusOf(failure.code)
    const detail = { msg: failure.details, type: typeOf(status) }
    return {
      status,
      headers: failureHeaders(failure, status),
      body: { detail: status === 401 ? { error: 'Unauthorized', ...detail } : detail },
    }
  },
}
