import type { GenerationEnd } from '../contract/backend.ts'
import type {
  AttemptRecord,
  DataOutcome,
  FailureOutcome,
  SchemaCertificate,
  SuccessOutcome,
} from '../contract/outcome.ts'
import type { RunFailure } from '../event/run.ts'

/** What both kinds of outcome share. */
export interface Story {
  readonly id: string
  readonly durationMs: number
  readonly attempts: AttemptRecord[]
  readonly metadata?: Record<string, unknown> | undefined
}

export interface Answer {
  readonly end: GenerationEnd
  readonly backend: string
  readonly endpoint: string
  readonly isTruncated: boolean
  readonly dropped: readonly number[]
  /** It goes on with a text of the caller's: its white space belongs to it. */
  readonly continues: boolean
  /** Of an event with a schema. */
  readonly matched?: Matched | undefined
}

interface Matched {
  readonly data: unknown
  /** The JSON of the answer. */
  readonly text: string
  readonly certificate: SchemaCertificate
}

export function respondWithAnswer(story: Story, answer: Answer): SuccessOutcome | DataOutcome<unknown> {
  const { end, backend, endpoint, isTruncated, dropped, continues, matched } = answer
  const text = matched?.text ?? end.text
  return {
    completion: continues && !matched ? text : text.trim(),
    id: story.id,
    model: end.model ?? null,
    backend,
    endpoint,
    finish_reason: end.finish_reason,
    usage: end.usage ?? null,
    duration_ms: story.durationMs,
    attempts: story.attempts,
    ...(end.reasoning ? { reasoning: end.reasoning } : {}),
    ...(end.tool_calls && end.tool_calls.length > 0 ? { tool_calls: end.tool_calls } : {}),
    ...(matched ? { data: matched.data, schema: matched.certificate } : {}),
    ...(isTruncated ? { prompt_truncated: true as const } : {}),
    ...(dropped.length > 0 ? { dropped_turns: [...dropped] } : {}),
    ...(story.metadata ? { metadata: story.metadata } : {}),
  }
}

export function respondWithFailure(
  story: Story,
  { code, details, retryAfterMs, partial, schema }: RunFailure,
): FailureOutcome {
  return {
    error: code,
    details,
    id: story.id,
    duration_ms: story.durationMs,
    attempts: story.attempts,
    ...(partial ? { partial } : {}),
    ...(schema ? { schema } : {}),
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }),
    ...(story.metadata ? { metadata: story.metadata } : {}),
  }
}
