import type { Backend, Endpoint, GenerationEnd, GenerationRequest } from './backend.ts'
import type { AttemptRecord, Outcome } from './outcome.ts'

/** The span of an event. */
export interface EventTrace {
  readonly traceId: string
  startAttempt(call: TracedCall): AttemptTrace
  end(outcome: Outcome, waitedMs: number): void
}

/** The span of one call of a backend. */
export interface AttemptTrace {
  /** Those of the call, with the `traceparent` of this span. */
  readonly headers: Readonly<Record<string, string>>
  end(record: Readonly<AttemptRecord>, end: GenerationEnd | undefined): void
}

export interface TracedCall {
  readonly backend: Backend
  readonly endpoint: Endpoint
  readonly request: GenerationRequest
  /** Counts the calls of this endpoint for this event, from 1. */
  readonly number: number
  readonly stream: boolean
}

export interface TracedEvent {
  readonly id: string
  /** What came with the event; its `traceparent` is the parent. */
  readonly headers: Readonly<Record<string, string>> | undefined
}

export type StartEventTrace = (event: TracedEvent) => EventTrace

let start: StartEventTrace | undefined

/**
 * How to trace an event; undefined while no tracer provider is registered, which costs one look at a global. OpenTelemetry's
 * API keeps what is registered under this symbol, so that copies of it within one process find each other. Looking there
 * first means that the API itself is imported only by programs that trace.
 */
export function tracing(): StartEventTrace | Promise<StartEventTrace> | undefined {
  const registered: unknown = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1'))
  if (typeof registered !== 'object' || registered === null || !('trace' in registered)) return undefined
  return start ?? load()
}

async function load(): Promise<StartEventTrace> {
  const { startEventTrace } = await import('./tracing.ts')
  start = startEventTrace
  return start
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/

/** The trace that a caller's headers name. */
export function traceIdOf(headers: Readonly<Record<string, string>> | undefined): string | undefined {
  const traceparent = headers?.traceparent
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1]
}
