/** Where on its way an event meets a failure. */
export type FailureStage = 'edge' | 'event' | 'desk' | 'attempt'

/** Whether the same endpoint is asked again. `paced`: after its Retry-After or a backoff. */
type RepeatRule = 'never' | 'paced' | 'when_alone' | 'repair'

/** What follows when the same endpoint is not asked again. */
type NextRule = 'stop' | 'next_endpoint' | 'next_backend' | 'wait_in_line'

/**
 * Whether the same event may do better later. `never`: something has to change first. `when_free`: nobody was there, or
 * nobody had time. `perhaps`: it may be the trouble of the backend or of the event. `when_open`: this server takes
 * nothing now. `ended`: the caller left, or the time of the event was up.
 */
export type PassesRule = 'never' | 'when_free' | 'perhaps' | 'when_open' | 'ended'

/** What a code means for the way of an event. */
export interface FailureRule {
  /** Where on its way an event meets it. */
  readonly stage: FailureStage
  /** Whether the same endpoint is asked again. */
  readonly repeat: RepeatRule
  /** What follows when it is not. */
  readonly next: NextRule
  /** Whether the same event may do better later. */
  readonly passes: PassesRule
  /** What it is, in one sentence. */
  readonly summary: string
}

const outside =
  (stage: FailureStage) =>
  (summary: string, passes: PassesRule = 'never'): FailureRule => ({
    stage,
    repeat: 'never',
    next: 'stop',
    passes,
    summary,
  })
const edge = outside('edge')
const event = outside('event')
const desk = outside('desk')
const attempt = (rules: Omit<FailureRule, 'stage' | 'summary'>, summary: string): FailureRule => ({
  stage: 'attempt',
  ...rules,
  summary,
})

/**
 * The one table of failure codes. A code, once published, keeps its meaning; a retired one is not used again.
 * HTTP statuses are the server's business (`@ai-ticket/http-server`), the rules here are the attempt loop's.
 */
export const FAILURES = {
  invalid_request: edge('The request body is not valid JSON, or holds something that no request can carry.'),
  invalid_input_format: event('A field of the event has the wrong type or range; the details name its path.'),
  missing_content_field: event('The event has no `content`.'),
  unauthorised: edge('The request carries no valid API key.'),
  forbidden: edge('The API key may not do this.'),
  not_found: event('Nothing has this address or name; for a backend or model the known names are given.'),
  method_not_allowed: edge('The address exists, but not for this method.'),
  request_timeout: edge('The request did not arrive in time.', 'when_free'),
  conflict: edge('The request contradicts the state of what it addresses.'),
  gone: edge('What the address named has been removed.'),
  payload_too_large: edge('The request body is larger than the limit.'),
  unsupported_media_type: edge('The request body is neither JSON nor a CloudEvent.'),
  rate_limited: edge(
    'The caller sends more than its quota; Retry-After says when to come back.',
    'when_free',
  ),
  header_too_large: edge('The request headers are larger than the limit.'),
  prompt_extraction_failed: event('The event holds no user text.'),
  context_length_exceeded: event('The prompt and the answer do not fit into the context of the model.'),
  idempotency_key_reused: edge('The Idempotency-Key was used before with another body.'),
  callback_not_allowed: edge('The callback address is not on the list of the operator.'),
  api_client_error: attempt(
    { repeat: 'never', next: 'stop', passes: 'never' },
    'The backend refused the request.',
  ),
  api_authentication_error: attempt(
    { repeat: 'never', next: 'next_backend', passes: 'never' },
    'The backend refused the key.',
  ),
  api_rate_limited: attempt(
    { repeat: 'paced', next: 'wait_in_line', passes: 'when_free' },
    'The backend is busy or limits the rate of calls.',
  ),
  api_server_error: attempt(
    { repeat: 'paced', next: 'next_endpoint', passes: 'perhaps' },
    'The backend failed.',
  ),
  api_connection_error: attempt(
    { repeat: 'when_alone', next: 'next_backend', passes: 'when_free' },
    'The backend could not be reached.',
  ),
  api_timeout: attempt(
    { repeat: 'never', next: 'next_backend', passes: 'perhaps' },
    'The backend fell silent.',
  ),
  api_response_format_error: attempt(
    { repeat: 'never', next: 'next_endpoint', passes: 'perhaps' },
    'The reply of the backend is not JSON.',
  ),
  api_response_structure_error: attempt(
    { repeat: 'never', next: 'next_endpoint', passes: 'perhaps' },
    'The reply of the backend has the wrong shape.',
  ),
  api_stream_interrupted: attempt(
    { repeat: 'paced', next: 'next_backend', passes: 'perhaps' },
    'The stream of the backend ended before the answer did.',
  ),
  output_schema_mismatch: attempt(
    { repeat: 'repair', next: 'stop', passes: 'never' },
    'The answer does not match the schema.',
  ),
  capacity_exceeded: desk(
    'The line is full, or the deadline cannot be met; Retry-After says when to come back.',
    'when_free',
  ),
  shutting_down: desk('The desk is closing.', 'when_open'),
  store_unavailable: desk('The ticket store cannot be written.', 'when_open'),
  deadline_exceeded: desk('The time of the event is up.', 'ended'),
  cancelled: desk('The caller cancelled the event or went away.', 'ended'),
  configuration_error: desk('The desk is configured wrongly.'),
  internal_error: desk('The desk failed; this is a bug.'),
} as const satisfies Record<string, FailureRule>

/** A stable, published name of what went wrong. */
export type FailureCode = keyof typeof FAILURES

/** All codes, in the order of the table. */
export const FAILURE_CODES = Object.keys(FAILURES) as readonly FailureCode[]

/** An expected failure: a value, not an exception. */
export interface Failure {
  /** One of `FAILURE_CODES`. */
  readonly code: FailureCode
  /** Plain words: what failed and what to do. Never a prompt, a key or a body. */
  readonly details: string
  /** How long to wait before asking again, in milliseconds, where somebody knows. */
  readonly retryAfterMs?: number
}

export type Result<Value, Problem = Failure> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: Problem }

export const success = <Value>(value: Value): { readonly ok: true; readonly value: Value } => ({
  ok: true,
  value,
})

export const failure = <Problem extends Failure>(
  problem: Problem,
): { readonly ok: false; readonly failure: Problem } => ({ ok: false, failure: problem })

/**
 * The longest pause that another server may ask for with `Retry-After` or words like it, in milliseconds: an hour for a
 * backend, a day for the receiver of a callback. A longer one counts as this. Without a limit, one header would keep a
 * backend out of use for years, and date a ticket beyond what a `Date` holds.
 */
export const LONGEST_RETRY_AFTER_MS = { backend: 3_600_000, callback: 86_400_000 } as const

/** From 0 to `longestMs`; undefined where it is not a number. */
export function boundRetryAfter(ms: number | undefined, longestMs: number): number | undefined {
  if (ms === undefined || Number.isNaN(ms)) return undefined
  return Math.min(Math.max(Math.ceil(ms), 0), longestMs)
}
