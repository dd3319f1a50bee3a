import type { FailureCode } from './failure.ts'

/** Real token counts of the server; null where a server does not really know them. */
export interface Usage {
  /** Tokens of the whole prompt. */
  prompt_tokens: number
  /** Tokens of the answer, reasoning included. */
  completion_tokens: number
}

/**
 * `length`: the answer was cut at `max_tokens` or at the end of the context. `content_filter`: the server withheld some
 * of it.
 */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

/** A call of a tool that the model asks for, in OpenAI's shape. The desk never executes it. */
export interface ToolCall {
  /** Names the call, so that the turn with its result can answer it. */
  id: string
  /** Always `function`. */
  type: 'function'
  /** Which tool, and its arguments as JSON text, as the model wrote it. */
  function: { name: string; arguments: string }
}

/** How one call of one endpoint went. */
export interface AttemptRecord {
  /** The name of the backend. */
  backend: string
  /** The name of its endpoint. */
  endpoint: string
  /** Counts the calls of this endpoint for this event, from 1. */
  number: number
  /** ISO 8601, the start of the call. */
  started_at: string
  /** How long it took, in milliseconds. */
  duration_ms: number
  /** The pause before this call, in milliseconds. */
  waited_ms: number
  /** `completed`, `endpoint_missing`, or the code of the failure. */
  result: 'completed' | 'endpoint_missing' | FailureCode
  /** What failed, in plain words. */
  details?: string
  /** HTTP status of the reply, where there was one. */
  status?: number
  /** The reason as the server spelled it. */
  raw_finish_reason?: string | null
  /** Time to the first delta, in milliseconds, of a streamed call. */
  first_token_ms?: number
  /**
   * How long the server read the prompt and wrote the answer, in milliseconds. The rest of the call is neither, such as a
   * wait inside the server. Absent if unknown.
   */
  prompt_ms?: number
  /** See `prompt_ms`. */
  completion_ms?: number
  /**
   * The source of the two times. `backend`: the server reported them. `stream`: the first delta separates them.
   * `learned`: an estimate from the learned speeds of this backend.
   */
  phases?: 'backend' | 'stream' | 'learned'
  /** How the server is known to have stopped, where the call did not end with a whole answer. */
  stopped?: 'not_sent' | 'ended' | 'idle' | 'dead'
  /** How long that took, in milliseconds, of a call that the desk had to stop. It is part of `duration_ms`. */
  stopped_after_ms?: number
  /**
   * Tokens of the prompt that the server had kept and did not read: its own count where it gives one, else an estimate.
   * Absent: none, or not known.
   */
  saved_prompt_tokens?: number
  /** The seed that was drawn for this call, where the event gave none and the server would have taken its clock. */
  seed?: number
  /** Of a ticket: which of its runs made the call, from 1. */
  run?: number
}

/** A rule of the schema that an answer broke, and where. Never the value. */
export interface SchemaError {
  /** JSON Pointer into the answer; empty: the answer as a whole. */
  path: string
  /**
   * The keyword of the JSON Schema, or the name that a Standard Schema's library gives the rule; `json`: no JSON in
   * the answer, `incomplete`: cut off, `complexity`, `depth`, `length`: beyond what is checked.
   */
  rule: string
}

/** How an answer came to match its schema. */
export interface SchemaCertificate {
  /**
   * `backend`: the server was made to obey, and the answer was that JSON and nothing else. `validator`: the model
   * answered so by itself. `repair`: it was asked again.
   */
  enforced_by: 'backend' | 'validator' | 'repair'
  /** How often the model was asked again. */
  repairs: number
  /** The JSON had small faults (trailing commas, quotes) that were mended before it was checked. */
  mended?: true
  /** Why the answer before the last repair did not fit. */
  errors?: SchemaError[]
}

/** Names of the other side, so that both can be taken from an outcome before it is known which it is. */
type Absent<Names extends string> = { [Name in Names]?: undefined }

/** Something that the event asked for and did not get, because nobody reads the field that says so. */
export interface EventWarning {
  /** Its path in the event: `max_token`, `parameters.maxTokens`. */
  field: string
  /** Which field was probably meant, in plain words. Never a value. */
  details: string
}

/** The answer to an event. */
export interface SuccessOutcome extends Absent<'error' | 'details' | 'partial' | 'retry_after_ms'> {
  /**
   * The text, without white space at either end unless it continues one. With a schema: its JSON, without what stood
   * around it.
   */
  completion: string
  /** Of the event: its own, or `evt_` and a UUID. */
  id: string
  /** The model that answered, as its server names it; null: the server does not say. */
  model: string | null
  /** The name of the backend that answered. */
  backend: string
  /** The name of the endpoint that answered. */
  endpoint: string
  /** Why the answer ended. `length`: it was cut. */
  finish_reason: FinishReason
  /** Token counts of the server; null: it does not really know them. */
  usage: Usage | null
  /** From acceptance to outcome, waiting included, in milliseconds. */
  duration_ms: number
  /** Of it, in the waiting line, in milliseconds. Absent: an earlier release made the outcome, or no desk did. */
  waited_ms?: number
  /** Each call that was made, in order. */
  attempts: AttemptRecord[]
  /** What the model thought before it answered. Absent: nothing. */
  reasoning?: string
  /** Tools that the model asks for. Absent: none. */
  tool_calls?: ToolCall[]
  /** The answer, validated, if the event has a schema. */
  data?: unknown
  /** How the answer came to match the event's schema. */
  schema?: SchemaCertificate
  /** The server cut the prompt in silence: the answer may be invented. */
  prompt_truncated?: true
  /** Places of the turns that were left out so that the rest fits the context (`drop_oldest`). */
  dropped_turns?: number[]
  /** Fields of the event that were ignored but look like known ones. Absent: there are none. */
  warnings?: EventWarning[]
  /** As the event had it. */
  metadata?: Record<string, unknown>
}

/**
 * The answer to an event with a schema. An answer that calls tools instead has no `data`, whatever the type says: give
 * tools or a schema.
 */
export interface DataOutcome<Data> extends SuccessOutcome {
  /** The answer, validated; what the schema made of it where it transforms. */
  data: Data
  /** How the answer came to match. */
  schema: SchemaCertificate
}

/** Why an event has no answer. */
export interface FailureOutcome
  extends Absent<
    | ('completion' | 'model' | 'backend' | 'endpoint' | 'finish_reason' | 'usage' | 'reasoning')
    | ('tool_calls' | 'data' | 'prompt_truncated' | 'dropped_turns')
  > {
  /** What went wrong: one of `FAILURE_CODES`. */
  error: FailureCode
  /** Plain words: what failed and what to do. Never a prompt, a key or a body. */
  details: string
  /** Of the event: its own, or `evt_` and a UUID. */
  id: string
  /** From acceptance to outcome, waiting included, in milliseconds. */
  duration_ms: number
  /** Of it, in the waiting line, in milliseconds. Absent: an earlier release made the outcome, or no desk did. */
  waited_ms?: number
  /** Each call that was made, in order; empty: no backend was asked. */
  attempts: AttemptRecord[]
  /** Text that had come when the answer broke off, or the last answer that did not match the schema. */
  partial?: string
  /** The faults of the last answer, if none matched the schema. */
  schema?: { repairs: number; errors: SchemaError[] }
  /** How long to wait before asking again, in milliseconds, where the desk knows. */
  retry_after_ms?: number
  /** Fields of the event that were ignored but look like known ones. Absent: there are none. */
  warnings?: EventWarning[]
  /** As the event had it. */
  metadata?: Record<string, unknown>
}

/**
 * The one recorded end of an event. `error` tells which: it is undefined on success. So you may take it apart first:
 * `const { completion, error, details } = outcome`; once you have checked `error`, `completion` is a string.
 */
export type Outcome = SuccessOutcome | FailureOutcome
