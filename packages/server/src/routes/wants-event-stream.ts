/**
 * Whether an `Accept` header asks for server-sent events: `text/event-stream` by name, and not less than JSON.
 * Wildcards mean JSON: nobody should get a stream who did not ask for one.
 */
export function wantsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || !/event-stream/i.test(accept)) return false
  const stream = qualityOf('text/event-stream', accept)
  return stream > 0 && stream >= qualityOf('application/json', accept)
}

function qualityOf(type: string, accept: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim())
    if (name !== type) continue
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0
  }
  return 0
}
