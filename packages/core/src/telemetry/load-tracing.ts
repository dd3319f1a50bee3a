import type { Headers, TracedArrival, Tracing } from './trace.ts'

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
