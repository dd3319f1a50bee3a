import {
  type EventWarning,
  FAILURES,
  type Failure,
  type FailureCode,
  type FailureOutcome,
} from '@ai-ticket/core'
import { type FailureDialect, type HttpReply, replyToFailure } from '../http/reply.ts'

/** A failure, and where OpenAI has other words for it. */
interface OpenAiFailure extends Failure {
  readonly status?: number
  readonly openAiCode?: string
  readonly param?: string
  readonly warnings?: readonly EventWarning[]
}

/** OpenAI answers 400 to what the desk's own dialect calls 422, and its clients repeat everything from 500 on. */
const STATUS: Partial<Readonly<Record<FailureCode, number>>> = {
  prompt_extraction_failed: 400,
  context_length_exceeded: 400,
  // Clients that know only the status repeat a 502; each repeat would cost all the repairs again.
  output_schema_mismatch: 422,
}

const OPENAI_CODE: Partial<Readonly<Record<FailureCode, string>>> = { unauthorised: 'invalid_api_key' }

/** The failure of an event, told to a caller who sent messages and not an event. */
export function outcomeFailure(outcome: FailureOutcome): OpenAiFailure {
  const { error, details, retry_after_ms, attempts, warnings } = outcome
  const failure: OpenAiFailure = {
    code: error,
    details: inTheirWords(details),
    ...(retry_after_ms === undefined ? {} : { retryAfterMs: retry_after_ms }),
    ...(warnings === undefined ? {} : { warnings }),
  }
  // The only name that these events bear is the model's.
  if (error === 'not_found') return { ...failure, openAiCode: 'model_not_found', param: 'model' }
  if (error === 'prompt_extraction_failed') return { ...failure, details: NOTHING_TO_ANSWER }
  // Refused by the desk, no backend was asked: it is the request that has to change.
  if (error === 'api_client_error' && attempts.length === 0) return { ...failure, status: 400 }
  return failure
}

const NOTHING_TO_ANSWER =
  'The request holds no text and no image. Put the text into `prompt` or into a message.'

/** `content.messages[0]` of the event was `messages[0]` of the request. */
const inTheirWords = (details: string): string => details.replace(/`(?:content|parameters)\./g, '`')

/** `{"error": {message, type, param, code}}`. All four keys are always there; `warnings` stand beside them. */
export function errorBody(failure: OpenAiFailure): object {
  const {
    code,
    details,
    openAiCode = OPENAI_CODE[code] ?? code,
    param = paramOf(failure),
    warnings,
  } = failure
  return {
    error: { message: details, type: typeOf(statusOf(failure)), param: param ?? null, code: openAiCode },
    ...(warnings === undefined ? {} : { warnings }),
  }
}

/** A failure with its status, as OpenAI's clients read it. */
export function errorReply(failure: OpenAiFailure): HttpReply {
  const status = statusOf(failure)
  const shouldRetry = shouldRetryAfter(failure.code, status)
  const { headers } = replyToFailure(failure)
  return {
    status,
    headers: { ...headers, ...(shouldRetry === undefined ? {} : { 'x-should-retry': String(shouldRetry) }) },
    body: errorBody(failure),
  }
}

/** All of `/v1` speaks it, but for addresses that a plugin has another dialect for. */
export const OPENAI_DIALECT: FailureDialect = {
  name: 'OpenAiError',
  covers: (path) => /^\/v1(?:\/|$)/.test(path),
  reply: (failure) => errorReply(failure),
  // Refused by the desk, no backend was asked (`outcomeFailure`).
  statusesOf: (code) => {
    const { status } = errorReply({ code, details: '' })
    return code === 'api_client_error' ? [status, 400] : [status]
  },
}

const statusOf = (failure: OpenAiFailure): number =>
  failure.status ?? STATUS[failure.code] ?? replyToFailure(failure).status

function typeOf(status: number): string {
  if (status >= 500) return 'server_error'
  if (status === 429) return 'rate_limit_error'
  return status === 403 ? 'permission_error' : 'invalid_request_error'
}

/** Refusals of a field begin with its path. */
function paramOf({ code, details }: Failure): string | undefined {
  return code === 'invalid_input_format' ? /^`([^`]+)`/.exec(details)?.[1] : undefined
}

/**
 * What `x-should-retry` says. Clients of OpenAI and Anthropic repeat 408, 409, 429 and everything from 500 on, twice. The
 * desk has done its own repeats by then: theirs would only multiply the load. Undefined: their rule is right.
 */
export function shouldRetryAfter(code: FailureCode, status: number): boolean | undefined {
  const { stage, passes } = FAILURES[code]
  if (stage !== 'attempt' && (passes === 'when_free' || passes === 'when_open')) return true
  // A 4xx that stands for a failed answer tells so, too: nobody has to know which statuses are repeated.
  return status >= 500 || stage === 'attempt' ? false : undefined
}
