import type { Backend, Endpoint, GenerationEnd, GenerationRequest } from './backend.ts'
import type { EventTraceOptions } from './dispatcher.ts'
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
  readonly headers: Headers | undefined
  readonly traceOptions?: EventTraceOptions | undefined
}

/** What arrives now and runs later. */
export interface TracedArrival {
  readonly name: string
  /** What came with it; its `traceparent` is the parent. */
  readonly headers?: Headers | undefined
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

type Headers = Readonly<Record<string, string>>

let loaded: Tracing | undefined

/**
 * How to trace an event; undefined while no tracer provider is registered, which costs one look at a global. OpenTelemetry's
 * API keeps what is registered under this symbol, so that copies of it within one process find each other. Looking there
 * first means that the API itself is imported only by programs that trace.
 */
export function tracing(): Tracing | Promise<Tracing> | undefined {
  const registered: unknown = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1'))
  if (typeof registered !== 'object' || registered === null || !('trace' in registered)) return undefined
  return loaded ?? load()
}

async function load(): Promise<Tracing> {
  loaded = await import('./tracing.ts')
  return loaded
}

/**
 * Records, as a span of its own, that something has arrived which runs later, perhaps in another process. Returns the
 * headers that continue its trace: those given, where nothing traces.
 */
export async function traceArrival(arrival: TracedArrival): Promise<Headers | undefined> {
  const trace = tracing()
  return trace === undefined ? arrival.headers : (await trace).traceArrival(arrival)
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/

/** The trace that a caller's headers name. */
export function traceIdOf(headers: Readonly<Record<string, string>> | undefined): string | undefined {
  const traceparent = headers?.traceparent
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1]
}
