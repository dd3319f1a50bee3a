import type { Backend, Endpoint, GenerationEnd, GenerationRequest } from '../contract/backend.ts'
import type { EventTraceOptions } from '../contract/dispatcher.ts'
import type { AttemptRecord, Outcome } from '../contract/outcome.ts'

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
  readonly headers: Headers | undefined
  readonly traceOptions?: EventTraceOptions | undefined
}

/** What arrives now and runs later. */
export interface TracedArrival {
  /** The name of its span. */
  readonly name: string
  /** What came with it; its `traceparent` is the parent. */
  readonly headers?: Headers | undefined
  /** Attributes of its span. */
  readonly attributes?: Headers
  /** A span of another trace that it follows from, as headers with its `traceparent`. */
  readonly follows?: Headers | undefined
}

/** What `tracing.ts` has: it is loaded by programs that trace. */
export interface Tracing {
  /** Undefined: a sampler leaves it out. */
  startEventTrace(event: TracedEvent): EventTrace | undefined
  traceArrival(arrival: TracedArrival): Headers
}

export type Headers = Readonly<Record<string, string>>
