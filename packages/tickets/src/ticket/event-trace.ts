type Event = Readonly<Record<string, unknown>>
type Headers = Readonly<Record<string, string>>

/** The event with the trace that it belongs to, in fields of their own: a run hours later continues it. */
export function withTrace(
  { traceparent: _own, tracestate: _ownState, ...event }: Event,
  trace?: Headers,
): Event {
  return { ...event, ...trace }
}

/** The headers of the trace that `withTrace` has kept. */
export function traceOf(event: Event | null): Headers | undefined {
  const { traceparent, tracestate } = event ?? {}
  if (typeof traceparent !== 'string') return undefined
  return typeof tracestate === 'string' ? { traceparent, tracestate } : { traceparent }
}
