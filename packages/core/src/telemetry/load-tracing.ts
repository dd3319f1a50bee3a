import type { Headers, TracedArrival, Tracing } from './trace.ts'

let loaded: Tracing | undefined

/**
 * How to trace an event; undefined while no tracer provider is registered, which costs one look at a global. OpenTelemetry's
 * API keeps what is registered under this symbol, so that copies of it within one process find each other. Looking there
 * first means that the API itself is imported only by programs that trace.
 */
export function tracing(): Tracing | Promise<Tracing | undefined> | undefined {
  if (isMissing) return undefined
  const registered: unknown = Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1'))
  if (typeof registered !== 'object' || registered === null || !('trace' in registered)) return undefined
  return loaded ?? load()
}

let isMissing = false

/** The API is an optional peer: a tracer may have been registered by a copy of it that core cannot reach. */
async function load(): Promise<Tracing | undefined> {
  try {
    loaded = await import('./tracing.ts')
    return loaded
  } catch {
    if (!isMissing) process.emitWarning(MISSING)
    isMissing = true
    return undefined
  }
}

const MISSING =
  'A tracer is registered, but @ai-ticket/core cannot load @opentelemetry/api, so events are not traced. Install it ' +
  'beside @ai-ticket/core: npm install @opentelemetry/api'

/**
 * Records, as a span of its own, that something has arrived which runs later, perhaps in another process. Returns the
 * headers that continue its trace: those given, where nothing traces.
 */
export async function traceArrival(arrival: TracedArrival): Promise<Headers | undefined> {
  const trace = tracing()
  return trace === undefined ? arrival.headers : ((await trace)?.traceArrival(arrival) ?? arrival.headers)
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/

/** The trace that a caller's headers name. */
export function traceIdOf(headers: Readonly<Record<string, string>> | undefined): string | undefined {
  const traceparent = headers?.traceparent
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1]
}
