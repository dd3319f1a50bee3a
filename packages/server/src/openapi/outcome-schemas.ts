import { FAILURE_CODES } from '@ai-ticket/core'
import * as v from 'valibot'

// The types are in `contract/outcome.ts` of core; `schemas.test.ts` holds the two together.

export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const milliseconds = v.pipe(v.number(), v.minValue(0))
export const timestamp = v.pipe(v.string(), v.isoTimestamp())
const record = v.record(v.string(), v.unknown())

/** One of `FAILURE_CODES`. */
export const FailureCodeSchema = v.pipe(
  v.picklist(FAILURE_CODES),
  v.description('A stable name of what went wrong. New codes may be added; none changes its meaning.'),
)

export const UsageSchema = v.object({ prompt_tokens: count, completion_tokens: count })

export const ToolCallSchema = v.object({
  id: v.string(),
  type: v.literal('function'),
  function: v.object({ name: v.string(), arguments: v.string() }),
})

/** An `AttemptRecord`, as JSON. */
export const AttemptSchema = v.pipe(
  v.object({
    backend: v.string(),
    endpoint: v.string(),
    number: v.pipe(count, v.description('Counts the calls of this endpoint for this event, from 1.')),
    started_at: timestamp,
    duration_ms: milliseconds,
    waited_ms: v.pipe(milliseconds, v.description('The pause before this call.')),
    result: v.picklist(['completed', 'endpoint_missing', ...FAILURE_CODES]),
    details: v.exactOptional(v.string()),
    status: v.exactOptional(v.pipe(v.number(), v.integer(), v.description('HTTP status of the reply.'))),
    raw_finish_reason: v.exactOptional(v.nullable(v.string())),
    first_token_ms: v.exactOptional(milliseconds),
    prompt_ms: v.exactOptional(
      v.pipe(milliseconds, v.description('How long the prompt was read. Absent: nobody knows.')),
    ),
    completion_ms: v.exactOptional(v.pipe(milliseconds, v.description('How long the answer was written.'))),
    phases: v.exactOptional(
      v.pipe(
        v.picklist(['backend', 'stream', 'learned']),
        v.description(
          'Who says so: the server, the first delta of a stream, or an estimate by the speeds learned.',
        ),
      ),
    ),
    saved_prompt_tokens: v.exactOptional(
      v.pipe(
        count,
        v.description(
          'Tokens of the prompt that the server had kept and did not read: its own count, or an estimate.',
        ),
      ),
    ),
    seed: v.exactOptional(
      v.pipe(v.number(), v.integer(), v.description('The seed that was drawn for this call.')),
    ),
    stopped: v.exactOptional(
      v.pipe(
        v.picklist(['not_sent', 'ended', 'idle', 'dead']),
        v.description(
          'How the server is known to have stopped, where the call did not end with a whole answer.',
        ),
      ),
    ),
    stopped_after_ms: v.exactOptional(
      v.pipe(milliseconds, v.description('How long it took to stop it, where the desk had to.')),
    ),
    run: v.exactOptional(
      v.pipe(count, v.description('Of a ticket: which of its runs made the call, from 1.')),
    ),
  }),
  v.description('How one call of one endpoint went.'),
)

const SchemaErrorSchema = v.object({
  path: v.pipe(v.string(), v.description('JSON Pointer into the answer; empty: the answer as a whole.')),
  rule: v.pipe(
    v.string(),
    v.description('The keyword of the JSON Schema that was broken, or `json`, `incomplete`, …'),
  ),
})

const SchemaCertificateSchema = v.pipe(
  v.object({
    enforced_by: v.picklist(['backend', 'validator', 'repair']),
    repairs: v.pipe(count, v.description('How often the model was asked again.')),
    mended: v.exactOptional(v.literal(true)),
    errors: v.exactOptional(v.array(SchemaErrorSchema)),
  }),
  v.description('How the answer came to match the schema of the event.'),
)

const WarningSchema = v.pipe(
  v.object({
    field: v.pipe(v.string(), v.description('Its path in the event or the request, such as `max_token`.')),
    details: v.pipe(v.string(), v.description('Which field was probably meant.')),
  }),
  v.description('A field that was ignored, but looks like a known one.'),
)
export const warnings = v.exactOptional(v.array(WarningSchema))

const metadata = v.exactOptional(v.pipe(record, v.description('As the event had it.')))

const waited = v.exactOptional(v.pipe(milliseconds, v.description('Of `duration_ms`, in the waiting line.')))

/** A `SuccessOutcome`, as JSON. */
export const SuccessOutcomeSchema = v.pipe(
  v.object({
    completion: v.pipe(
      v.string(),
      v.description('The text, without white space at either end. With a schema: its JSON.'),
    ),
    id: v.pipe(v.string(), v.description('Of the event.')),
    model: v.nullable(v.string()),
    backend: v.string(),
    endpoint: v.string(),
    finish_reason: v.picklist(['stop', 'length', 'tool_calls', 'content_filter']),
    usage: v.nullable(UsageSchema),
    duration_ms: milliseconds,
    waited_ms: waited,
    attempts: v.array(AttemptSchema),
    data: v.exactOptional(v.pipe(v.unknown(), v.description('With a schema: the answer, validated.'))),
    reasoning: v.exactOptional(v.string()),
    tool_calls: v.exactOptional(v.array(ToolCallSchema)),
    schema: v.exactOptional(SchemaCertificateSchema),
    prompt_truncated: v.exactOptional(
      v.pipe(
        v.literal(true),
        v.description('The server cut the prompt in silence: the answer may be invented.'),
      ),
    ),
    dropped_turns: v.exactOptional(v.array(count)),
    warnings,
    metadata,
  }),
  v.description('The answer to an event.'),
)

/** A `FailureOutcome`, as JSON. */
export const FailureOutcomeSchema = v.pipe(
  v.object({
    error: FailureCodeSchema,
    details: v.pipe(v.string(), v.description('What failed and what to do, in plain words.')),
    id: v.pipe(v.string(), v.description('Of the event.')),
    duration_ms: milliseconds,
    waited_ms: waited,
    attempts: v.array(AttemptSchema),
    partial: v.exactOptional(
      v.pipe(v.string(), v.description('Text that had come when the answer broke off.')),
    ),
    schema: v.exactOptional(v.object({ repairs: count, errors: v.array(SchemaErrorSchema) })),
    retry_after_ms: v.exactOptional(milliseconds),
    warnings,
    metadata,
  }),
  v.description('Why an event has no answer.'),
)

/** Names that these have wherever they are used. */
export const OUTCOME_SCHEMAS = {
  FailureCode: FailureCodeSchema,
  Usage: UsageSchema,
  ToolCall: ToolCallSchema,
  Attempt: AttemptSchema,
  SchemaCertificate: SchemaCertificateSchema,
  EventWarning: WarningSchema,
  SuccessOutcome: SuccessOutcomeSchema,
  FailureOutcome: FailureOutcomeSchema,
}

/** What fails before there is an event. */
export const FailureSchema = v.pipe(
  v.object({
    error: FailureCodeSchema,
    details: v.pipe(v.string(), v.description('What failed and what to do, in plain words.')),
  }),
  v.description('A request that was refused.'),
)

/** All four keys are always there. `code` is one of ours, or OpenAI's word for it. */
export const OpenAiErrorSchema = v.pipe(
  v.object({
    error: v.object({
      message: v.string(),
      type: v.picklist(['invalid_request_error', 'permission_error', 'rate_limit_error', 'server_error']),
      param: v.nullable(v.string()),
      code: v.string(),
    }),
    warnings,
  }),
  v.description("A failure, as OpenAI's clients read it."),
)
