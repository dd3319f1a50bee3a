import type { AnswerSchema, Problem } from '../answer-schema/answer-schema.ts'
import type { BackendError, BackendErrorKind } from '../contract/backend.ts'
import type { Delta, EventOptions } from '../contract/dispatcher.ts'
import type { Failure } from '../contract/failure.ts'
import type { AttemptRecord, SchemaError } from '../contract/outcome.ts'
import type { ContextPolicy, Prompt } from '../contract/prompt.ts'
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
  readonly answerSchema: AnswerSchema | undefined
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

/**
 * A UUID version 7 (RFC 9562): 48 bits of time, then chance, so that ids sort by their time. Not a secret.
 *
 * @param wallTimeMs milliseconds since 1970
 * @param random numbers from 0 up to 1, as Math.random gives them
 */
export function createId(wallTimeMs: number, random: () => number): string {
  const time = Math.trunc(wallTimeMs).toString(16).padStart(12, '0').slice(-12)
  const a = hex(random, 3)
  const variant = '89ab'[Math.floor(random() * 4)]
  const b = hex(random, 3)
  const c = hex(random, 6) + hex(random, 6)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${variant}${b}-${c}`
}

const hex = (random: () => number, digits: number) =>
  Math.floor(random() * 16 ** digits)
    .toString(16)
    .padStart(digits, '0')

/** What an event asks of a model, as far as that can be known before. */
export interface Work {
  readonly promptTokens: number
  readonly maxTokens: number
}

/** A failed call: the failure it counts as, and what the attempt loop needs to know beside the code. */
export interface CallFailure extends Failure {
  /** The endpoint is not there: no verdict about the event. */
  readonly endpointMissing: boolean
  /** The backend does not know the model: another one may. */
  readonly modelUnknown: boolean
  readonly status: number | undefined
  readonly stopped: BackendError['stopped'] | undefined
  readonly partial: string | undefined
  /** What the backend itself said; undefined where the desk found the fault. */
  readonly kind: BackendErrorKind | undefined
  readonly isBusy: boolean
  /** What is wrong with an answer that does not match its schema. */
  readonly problems?: readonly Problem[]
  /** Asking again would end there, too. */
  readonly isBeyondRepair?: boolean
}
