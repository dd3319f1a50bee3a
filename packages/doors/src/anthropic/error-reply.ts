import type { Failure, FailureCode, FailureOutcome } from '@ai-ticket/core'
import { type FailureDialect, HTTP_STATUS, type HttpReply } from '@ai-ticket/http-server'
import { failureHeaders, failureOfOutcome } from '../shared/failure-headers.ts'

/** A failure, with the status where it is not the one of its code. */
interface MessageFailure extends Failure {
  readonly status?: number
}

const STATUS: Partial<Readonly<Record<FailureCode, number>>> = {
  prompt_extraction_failed: 400,
  context_length_exceeded: 400,
  // Clients that know only the status repeat a 502; each repeat would cost all the repairs again.
  output_schema_mismatch: 422,
  // Only a full line: to clients 529 says that the service is there, and that a later try will do.
  capacity_exceeded: 529,
}

const TYPES: ReadonlyMap<number, string> = new Map([
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  // The model's fault, not the request's.
  [422, 'api_error'],
  [429, 'rate_limit_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
])

/** `{"type": "error", "error": {type, message}, "request_id"}`. */
export function errorBody(failure: MessageFailure, requestId: string): object {
  const status = statusOf(failure)
  const type = TYPES.get(status) ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  return { type: 'error', error: { type, message: messageOf(failure) }, request_id: requestId }
}

/** A failure with its status, as Anthropic's clients read it. */
export function errorReply(failure: MessageFailure, requestId: string): HttpReply {
  const status = statusOf(failure)
  const headers = { ...failureHeaders(failure, status), 'request-id': requestId }
  return { status, headers, body: errorBody(failure, requestId) }
}

type Failed = Pick<FailureOutcome, 'error' | 'details' | 'retry_after_ms' | 'attempts'>

/** The failure of an event, told to a caller who sent messages and not an event. */
export function messageFailure(outcome: Failed): MessageFailure {
  if (outcome.error === 'prompt_extraction_failed') return { code: outcome.error, details: NOTHING_TO_ANSWER }
  const failure = failureOfOutcome(outcome)
  const details = failure.details.replace(/^`stop\b/, '`stop_sequences').replace(/^`schema\b/, FORMAT)
  // Refused by the desk, no backend was asked: it is the request that has to change.
  const isRefused = outcome.error === 'api_client_error' && outcome.attempts.length === 0
  return { ...failure, details, ...(isRefused && { status: 400 }) }
}

const NOTHING_TO_ANSWER = 'The request holds no text and no image. Put the text into a message.'

const FORMAT = '`output_config.format.schema'

function statusOf({ code, status }: MessageFailure): number {
  const known = status ?? STATUS[code] ?? HTTP_STATUS[code]
  return known === 502 ? 500 : known
}

const TOO_LONG = /^The prompt has (\d+) tokens\b.*\bthe context holds (\d+)\b/

/**
 * Claude Code shortens its conversation when it reads the words `prompt is too long`, by the numbers behind them; without
 * numbers it guesses.
 */
function messageOf({ code, details }: Failure): string {
  if (code !== 'context_length_exceeded') return details
  const [, prompt, context] = TOO_LONG.exec(details) ?? []
  if (prompt === undefined) return `prompt is too long: ${details}`
  // Where it nearly fits, the room that is missing is the answer's.
  const maximum = Math.min(Number(context), Number(prompt) - 1)
  return `prompt is too long: ${prompt} tokens > ${maximum} maximum`
}

const ADDRESS = /^\/v1\/messages(?:\/|$)/

/** For `/v1/messages` and what is below it. */
export const ANTHROPIC_DIALECT: FailureDialect = {
  name: 'AnthropicError',
  covers: (path) => ADDRESS.test(path),
  reply: errorReply,
  statusesOf: (code) => {
    const { status } = errorReply({ code, details: '' }, '')
    return code === 'api_client_error' ? [status, 400] : [status]
  },
}
