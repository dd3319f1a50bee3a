import type { Shape } from '../answer-schema/answer-schema.ts'
import type { Delta, EventOptions } from '../contract/dispatcher.ts'
import type { Failure } from '../contract/failure.ts'
import type { AttemptRecord, SchemaError } from '../contract/outcome.ts'
import type { ContextPolicy, Prompt } from '../contract/prompt.ts'
import type { Work } from '../scheduler/backend-slots.ts'
import type { EventTrace } from '../telemetry/trace.ts'

/** Where the deltas of a streamed event go. */
export interface Sink {
  /** The event has been accepted: it waits or runs. Called once. */
  admitted(id: string): void
  /** Resolves when the next delta may come. */
  delta(delta: Delta): Promise<void> | undefined
  /** The same for what an answer with a schema says so far; it may start anew. */
  partial(data: unknown): Promise<void> | undefined
}

/** One event on its way, from its acceptance to its outcome. */
export interface Run {
  readonly id: string
  readonly prompt: Prompt
  readonly model: string | undefined
  readonly backend: string | undefined
  /** What the answer must match. */
  readonly shape: Shape | undefined
  readonly metadata: Record<string, unknown> | undefined
  readonly contextPolicy: ContextPolicy
  /** The prompt is to be continued, not answered. */
  readonly continues: boolean
  readonly priority: number
  readonly caller: string
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly traceOptions: EventOptions['trace']
  /** With the `trace_id`, where there is one. */
  logFields: Readonly<Record<string, unknown>> | undefined
  /** Present where a tracer is registered. */
  trace: EventTrace | undefined
  /** Names of the backends that may answer it, once that is known. */
  allowed: readonly string[]
  /** Clock time, not wall time. */
  readonly startedAt: number
  readonly deadlineAt: number
  /** Aborted with a `Failure` when the event must end now: deadline, cancel, shutdown. */
  readonly control: AbortController
  readonly sink: Sink | undefined
  readonly beforeCall: EventOptions['beforeCall'] | undefined
  readonly attempts: AttemptRecord[]
  readonly work: Work
  /** Milliseconds in the line, so far. */
  waitedMs: number
}

/** A failure with the text that had come. */
export interface RunFailure extends Failure {
  readonly partial?: string | undefined
  readonly schema?: { repairs: number; errors: SchemaError[] }
}

/** Why the run was ended from outside. */
export const endedBecause = (run: Run): Failure => run.control.signal.reason as Failure
