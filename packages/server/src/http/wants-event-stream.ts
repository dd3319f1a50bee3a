/** What an answer is where it comes whole. */
const WHOLE = ['application/json', 'application/cloudevents+json']

/**
 * Whether an `Accept` header asks for server-sent events: for `text/event-stream` by name, and not less than for a whole
 * answer. A wildcard asks for a whole answer only: nobody gets a stream by accident.
 */
export function wantsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || !/event-stream/i.test(accept)) return false
  const qualities = new Map(accept.split(',').map(readRange))
  const stream = qualities.get('text/event-stream') ?? 0
  return stream > 0 && WHOLE.every((type) => stream >= qualityOf(type, qualities))
}

/** A media range in lower case, and its quality. */
function readRange(text: string): readonly [range: string, quality: number] {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = parameters.find((parameter) => parameter.startsWith('q='))
  return [range, quality === undefined ? 1 : Number(quality.slice(2)) || 0]
}

/** The most specific range that covers the type counts, RFC 9110. */
const qualityOf = (type: string, qualities: ReadonlyMap<string, number>): number =>
  qualities.get(type) ?? qualities.get(`${type.split('/', 1)[0]}/*`) ?? qualities.get('*/*') ?? 0
