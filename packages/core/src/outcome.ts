import type { FailureCode } from './failure.ts'

/** Real token counts of the server; null where a server does not really know them. */
export interface Usage {
  prompt_tokens: number
  completion_tokens: number
}

/** `length` only where the answer really reached the `max_tokens` that were sent. */
export type FinishReason = 'stop' | 'length' | 'tool_calls'

/** A call of a tool that the model asks for, in OpenAI's shape. The desk never executes it. */
export interface ToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/** How one call of one endpoint went. */
export interface AttemptRecord {
  backend: string
  endpoint: string
  /** Counts the calls of this endpoint for this event, from 1. */
  number: number
  /** ISO 8601, the start of the call. */
  started_at: string
  duration_ms: number
  /** The pause before this call, in milliseconds. */
  waited_ms: number
  /** `completed`, `endpoint_missing`, or the code of the failure. */
  result: 'completed' | 'endpoint_missing' | FailureCode
  details?: string
  /** HTTP status of the reply, where there was one. */
  status?: number
  /** The reason as the server spelled it. */
  raw_finish_reason?: string | null
  /** Time to the first delta, in milliseconds, of a streamed call. */
  first_token_ms?: number
  /** How the server is known to have stopped, where the call did not end with a whole answer. */
  stopped?: 'not_sent' | 'ended' | 'idle' | 'dead'
}

/** The answer to an event. */
export interface SuccessOutcome {
  /** The text, without white space at either end. */
  completion: string
  id: string
  model: string | null
  backend: string
  endpoint: string
  finish_reason: FinishReason
  usage: Usage | null
  duration_ms: number
  attempts: AttemptRecord[]
  reasoning?: string
  tool_calls?: ToolCall[]
  /** The server cut the prompt in silence: the answer may be invented. */
  prompt_truncated?: true
  /** Places of the turns that were left out so that the rest fits the context (`drop_oldest`). */
  dropped_turns?: number[]
  metadata?: Record<string, unknown>
}

/** Why an event has no answer. */
export interface FailureOutcome {
  error: FailureCode
  /** Plain words: what failed and what to do. Never a prompt, a key or a body. */
  details: string
  id: string
  duration_ms: number
  attempts: AttemptRecord[]
  /** Text that had come when the answer broke off. */
  partial?: string
  /** How long to wait before asking again, in milliseconds, where the desk knows. */
  retry_after_ms?: number
  metadata?: Record<string, unknown>
}

/** The one recorded end of an event. `'completion' in outcome` tells which. */
export type Outcome = SuccessOutcome | FailureOutcome
