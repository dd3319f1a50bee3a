import fc from 'fast-check'
import {
  hostileBody,
  hostileCloudEvents,
  hostileCompletion,
  hostileMessages,
  hostileResponse,
  wrongIn,
} from './hostile-events.ts'
import { hostileText } from './hostile-json.ts'

/** A request that is HTTP, whatever it asks for. */
export interface HostileRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string | undefined
  /** Sent in so many pieces. */
  readonly pieces: number
  readonly isChunked: boolean
  readonly hangsUp: boolean
}

/** What a header may hold. */
const headerText = hostileText.map((text) =>
  text
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
    .trim()
    .slice(0, 2_000),
)

const headerOf = (name: string, ...values: readonly string[]) =>
  fc.tuple(
    fc.constant(name),
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: headerText }),
  )

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const header = fc.oneof(
  headerOf('accept', 'application/json', 'text/event-stream', '*/*', 'text/event-stream;q=0'),
  headerOf(
    'prefer',
    'respond-async',
    'respond-async, wait=0',
    'wait=1',
    'respond-async; wait="2"',
    'return=minimal,,,',
  ),
  headerOf('idempotency-key', 'k1', '"k2"', 'k3', '""', '"', 'x'.repeat(256)),
  headerOf('traceparent', TRACE, TRACE.replace('00-', 'ff-'), '00-0-0-0', `${TRACE}-more`),
  headerOf('tracestate', 'a=b', 'a=b,c=d'.repeat(50), '='),
  headerOf('content-encoding', 'gzip', 'identity', 'br, gzip', ''),
  headerOf('x-request-id', 'mine', '<script>', 'x'.repeat(200)),
  headerOf('authorization', 'Bearer x', 'Basic eDp4', 'Bearer', 'bearer  y '),
  headerOf('x-api-key', 'x', ''),
  headerOf('last-event-id', '0', '1000000001', '-1', '1e99', '999999999'),
  headerOf('expect', '100-continue', 'wonders'),
  headerOf('x-forwarded-for', '10.0.0.1', '::1, x', 'a'.repeat(1_000)),
  headerOf('origin', 'http://evil.example', 'null'),
  headerOf('if-none-match', '*', '"x"'),
  headerOf('range', 'bytes=0-1', 'bytes=-'),
  headerOf('upgrade', 'websocket', 'h2c'),
  headerOf('connection', 'keep-alive', 'upgrade', 'close'),
  headerOf('ce-specversion', '1.0', '0.3'),
  headerOf('ce-id', '1', '%E2%82', '%00', '%ED%A0%80'),
  headerOf('ce-source', '/x', ' '),
  headerOf('ce-type', 't', '"t"'),
  headerOf('ce-extension', 'v', '%GG'),
  headerOf('host', '127.0.0.1', 'evil.example', '[::1]:99999', '[', 'localhost.', ''),
)

const JSON_TYPES = [
  'application/json; charset=utf-8',
  'application/json;charset=latin1',
  'APPLICATION/JSON',
  'application/problem+json',
]
const OTHER_TYPES = [
  ...[
    'application/cloudevents+json',
    'application/cloudevents-batch+json',
    'application/cloudevents+xml',
    'text/plain',
  ],
  ...[
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/json,text/plain',
    'json',
    '/',
    ';',
  ],
]
/** None, in one of 20. */
const typeOf = (usual: string): fc.Arbitrary<string | undefined> =>
  fc.oneof(
    { weight: 16, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...JSON_TYPES, ...OTHER_TYPES) },
    { weight: 1, arbitrary: headerText },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )

const BINARY: readonly (readonly [string, string])[] = [
  ['ce-specversion', '1.0'],
  ['ce-id', '1'],
  ['ce-source', '/x'],
  ['ce-type', 't'],
]

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed().slice(0, 500))

const queryName = fc.oneof(
  fc.constantFrom(
    'status',
    'kind',
    'limit',
    'cursor',
    'text',
    'created_from',
    'created_before',
    'metadata.a',
    'metadata.',
  ),
  fc.constantFrom(
    'event_id',
    'key',
    'backend',
    'model',
    'error',
    'replay_of',
    'wait',
    'starting_after',
    'idempotency_key',
    'stream',
  ),
  hostileText.map(encoded),
)
const queryValue = fc.oneof(
  fc.constantFrom(
    'true',
    'queued',
    'completed,failed',
    'ticket',
    'event',
    '1',
    '200',
    '0',
    '-1',
    '1e3',
    'MTow',
    'MToxMA',
    '10ms',
    '0s',
    '2020-01-01T00:00:00Z',
  ),
  hostileText.map(encoded),
  fc.constantFrom('%', '%ff', '%00', '+', '%ED%A0%80'),
)
const query = fc
  .array(fc.tuple(queryName, queryValue), { maxLength: 3 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'))

/** What is asked, and of what kind its body usually is. */
interface Asked {
  readonly method: string
  readonly path: string
  readonly type: string | undefined
  readonly body: string | undefined
  readonly isBinary: boolean
}

const METHODS = [
  'GET',
  'POST',
  'DELETE',
  'HEAD',
  'PUT',
  'PATCH',
  'OPTIONS',
  'PROPFIND',
  'TRACE',
  'QUERY',
  'CONNECT',
]

const asking = (
  methods: readonly string[],
  paths: fc.Arbitrary<string>,
  {
    body = fc.constant(undefined),
    type = 'application/json',
    isBinary = false,
  }: {
    readonly body?: fc.Arbitrary<string | undefined>
    readonly type?: string
    readonly isBinary?: boolean
  } = {},
): fc.Arbitrary<Asked> =>
  fc.record({
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom(...methods) },
      { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
    ),
    path: paths,
    type: typeOf(type),
    body: fc.oneof({ weight: 20, arbitrary: body }, { weight: 1, arbitrary: hostileBody }),
    isBinary: fc.constant(isBinary),
  })

const COMPLETIONS = fc.constantFrom('/v1/chat/completions', '/v1/completions')
const KOBOLD = fc.constantFrom(
  ...['/api/v1/generate', '/api/latest/generate', '/api/extra/generate/stream', '/api/extra/generate/check'],
  ...['/api/extra/abort', '/api/extra/tokencount', '/api/extra/tokenize', '/api/extra/last_logprobs'],
)
const KOBOLD_LOOKS = fc.constantFrom(
  ...['/api/v1/model', '/api/latest/model', '/api/v1/info/version', '/api/v1/config/max_length'],
  ...['/api/v1/config/soft_prompt', '/api/extra/version', '/api/extra/perf', '/api/extra/generate/check'],
  ...[
    '/api/extra/true_max_context_length',
    '/api/extra/preloadstory',
    '/api/extra/nowhere',
    '/api/v1',
    '/api',
  ],
)
const LOOKS = ['/tickets/stats', '/v1/models', '/backends', '/metrics', '/health', '/livez', '/readyz']
const ODD = [
  ...[
    '/',
    '//',
    '/event/',
    '/EVENT',
    '/v1',
    '/v1/embeddings',
    '/v1/messages/',
    '/v1/messages/batches',
    '/%65vent',
    '/event%00',
    '/%zz',
    '/tickets/..%2f..',
    '*',
  ],
  ...[
    '/nowhere',
    '/event;x',
    '/tickets//replay',
    'http://evil.example/event',
    '/console',
    '/openapi.json',
    '/favicon.ico',
  ],
]

/** `ids`: of tickets that there are. */
const anythingAsked = (ids: fc.Arbitrary<string>): fc.Arbitrary<Asked> => {
  const segment = fc.oneof({ weight: 4, arbitrary: ids }, { weight: 1, arbitrary: hostileText.map(encoded) })
  const ticket = segment.map((id) => `/tickets/${id}`)
  const event = fc.constant('/event')
  // The same tickets under their other name.
  const response = segment.map((id) => `/v1/responses/${id.replace(/^tkt_/, 'resp_')}`)
  return fc.oneof(
    { weight: 8, arbitrary: asking(['POST'], event, { body: hostileBody }) },
    { weight: 1, arbitrary: asking(['POST'], event, { body: hostileBody, isBinary: true }) },
    {
      weight: 1,
      arbitrary: asking(['POST'], event, { body: hostileCloudEvents, type: 'application/cloudevents+json' }),
    },
    {
      weight: 1,
      arbitrary: asking(['POST'], event, {
        body: hostileCloudEvents,
        type: 'application/cloudevents-batch+json',
      }),
    },
    { weight: 6, arbitrary: asking(['POST'], COMPLETIONS, { body: hostileCompletion }) },
    { weight: 4, arbitrary: asking(['POST'], fc.constant('/v1/messages'), { body: hostileMessages }) },
    { weight: 4, arbitrary: asking(['POST'], fc.constant('/v1/responses'), { body: hostileResponse(ids) }) },
    { weight: 2, arbitrary: asking(['GET', 'GET', 'DELETE'], response) },
    {
      weight: 1,
      arbitrary: asking(
        ['GET'],
        response.map((path) => `${path}/input_items`),
      ),
    },
    {
      weight: 1,
      arbitrary: asking(
        ['POST'],
        response.map((path) => `${path}/cancel`),
      ),
    },
    { weight: 4, arbitrary: asking(['POST'], fc.constant('/tickets'), { body: hostileBody }) },
    { weight: 4, arbitrary: asking(['POST'], KOBOLD, { body: hostileKobold }) },
    { weight: 1, arbitrary: asking(['GET', 'PUT'], KOBOLD_LOOKS) },
    { weight: 1, arbitrary: asking(['POST'], fc.constant('/tickets/prune'), { body: hostilePrune }) },
    {
      weight: 1,
      arbitrary: asking(
        ['POST'],
        ticket.map((path) => `${path}/replay`),
        { body: fc.oneof(fc.constant(undefined), hostileBody) },
      ),
    },
    { weight: 3, arbitrary: asking(['GET', 'GET', 'DELETE'], ticket) },
    { weight: 3, arbitrary: asking(['GET'], fc.constant('/tickets')) },
    {
      weight: 1,
      arbitrary: asking(
        ['GET'],
        fc.oneof(
          fc.constantFrom(...LOOKS),
          segment.map((id) => `/v1/models/${id}`),
        ),
      ),
    },
    {
      weight: 1,
      arbitrary: asking(
        ['GET', 'POST'],
        fc.oneof(
          fc.constantFrom(...ODD),
          hostileText.map((text) => `/${encoded(text)}`),
        ),
      ),
    },
  )
}

/** What their clients send, and what nobody should. */
const hostileKobold = wrongIn(
  fc.record(
    {
      prompt: fc.oneof(fc.constantFrom('Once upon a time', ' ', ''), hostileText),
      memory: hostileText,
      max_length: fc.constantFrom(8, 1, 0, -1, 100_000),
      max_context_length: fc.constantFrom(2_048, 64, 1, 0, -1),
      temperature: fc.constantFrom(0.7, 0, 5, 99),
      sampler_order: fc.constantFrom([6, 0, 1, 3, 4, 2, 5], [7], []),
      stop_sequence: fc.constantFrom(['x'], 'x', [''], Array(65).fill('x'), [1]),
      images: fc.constantFrom([], ['iVBORw0KGgo='], ['%%%'], Array(20).fill('x')),
      genkey: fc.constantFrom('KCPP1234', '', 'x'.repeat(300)),
      messages: fc.constantFrom([], [{ role: 'user', content: 'Hi' }], [{}]),
    },
    { requiredKeys: [] },
  ),
  ...['prompt', 'memory', 'max_length', 'stop_sequence', 'genkey', 'sampler_order', 'images'],
).map((value) => JSON.stringify(value))

const hostilePrune = wrongIn(
  fc.record(
    {
      finished_before: fc.constantFrom('2020-01-01T00:00:00Z', '2025-01-01T00:00:00Z'),
      keep: fc.nat(),
      failed: fc.boolean(),
      dry_run: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
  ...['finished_before', 'keep', 'dry_run', 'failed'],
).map((value) => JSON.stringify(value))

const oneOf = (count: number) => fc.nat({ max: count - 1 }).map((number) => number === 0)

/** `ids`: of tickets that there are. */
export const hostileRequest = (ids: fc.Arbitrary<string>): fc.Arbitrary<HostileRequest> =>
  fc
    .record({
      asked: anythingAsked(ids),
      query: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 2, arbitrary: query }),
      more: fc.oneof(fc.constant([]), fc.array(header, { maxLength: 3 })),
      pieces: fc.constantFrom(1, 1, 1, 2, 5),
      isChunked: oneOf(6),
      hangsUp: oneOf(30),
    })
    .map(({ asked: { method, path, type, body, isBinary }, query, more, ...rest }) => ({
      ...rest,
      method,
      path: query === '' ? path : `${path}?${query}`,
      headers: [
        ...(type === undefined || body === undefined ? [] : ([['content-type', type]] as const)),
        ...(isBinary ? BINARY : []),
        ...more,
      ],
      body: method === 'HEAD' ? undefined : body,
    }))

/** As it goes over the wire. */
export function bytesOf({
  method,
  path,
  headers,
  body,
  isChunked,
}: Omit<HostileRequest, 'pieces' | 'hangsUp'>): Uint8Array {
  const own = headers.some(([name]) => name === 'host') ? [] : [['host', '127.0.0.1']]
  const bytes = Buffer.from(body ?? '', 'utf8')
  const framing =
    body === undefined
      ? []
      : isChunked
        ? [['transfer-encoding', 'chunked']]
        : [['content-length', String(bytes.length)]]
  const lines = [...own, ...headers, ...framing].map(([name, value]) => `${name}: ${value}\r\n`)
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
  return Buffer.concat([head, isChunked && body !== undefined ? chunked(bytes) : bytes])
}

const chunked = (bytes: Buffer): Buffer =>
  bytes.length === 0
    ? Buffer.from('0\r\n\r\n')
    : Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')])

export function inPieces(bytes: Uint8Array, count: number): Uint8Array[] {
  const size = Math.max(1, Math.ceil(bytes.length / count))
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}
