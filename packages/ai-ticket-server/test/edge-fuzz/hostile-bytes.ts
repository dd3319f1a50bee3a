import fc from 'fast-check'

const EVENT = '{"content":"Hi"}'
const HEAD = 'host: 127.0.0.1\r\ncontent-type: application/json\r\n'
const POST = `POST /event HTTP/1.1\r\n${HEAD}`
const WHOLE = `${POST}content-length: ${EVENT.length}\r\n\r\n${EVENT}`
const GET = 'GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'

const junk = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 40 }),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constantFrom('\r\n', '\n', '\r', '\0', ':', ' ', '\t', 'HTTP/1.1', '0\r\n\r\n'),
)

const length = fc.constantFrom(
  '-1',
  '+5',
  '0x10',
  '1e3',
  '5, 5',
  '99999999999999999999',
  ' ',
  '5 5',
  '1_0',
  '٥',
)
const encoding = fc.constantFrom(
  'chunked, chunked',
  'gzip, chunked',
  'identity',
  'xchunked',
  'chunked\r\ntransfer-encoding: identity',
  ' chunked',
  'CHUNKED',
)
const chunks = fc.constantFrom(
  ...[
    'zz\r\n',
    '5\r\nhel',
    'ffffffffffffffff\r\nx',
    '-1\r\n',
    '5;ext="\r\nhello\r\n0\r\n\r\n',
    '10\r\n{"content":"Hi"}\r\n0\r\n\r\n',
  ],
  ...[
    '10\n{"content":"Hi"}\n0\n\n',
    '0\r\nx-trailer: a\r\n\r\n',
    '5\r\nhelloXX0\r\n\r\n',
    `${'1\r\nx\r\n'.repeat(500)}0\r\n\r\n`,
  ],
)

/** Bytes that are not HTTP, or HTTP of the kind that two parsers read differently. */
export const hostileBytes: fc.Arbitrary<string> = fc.oneof(
  junk,
  length.map((value) => `${POST}content-length: ${value}\r\n\r\n${EVENT}`),
  fc.tuple(encoding, chunks).map(([value, body]) => `${POST}transfer-encoding: ${value}\r\n\r\n${body}`),
  chunks.map((body) => `${POST}transfer-encoding: chunked\r\n\r\n${body}`),
  fc
    .tuple(length, chunks)
    .map(([value, body]) => `${POST}content-length: ${value}\r\ntransfer-encoding: chunked\r\n\r\n${body}`),
  chunks.map((body) => `${POST}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n${body}`),
  fc.constant(`${POST}content-length: 5\r\ncontent-length: 6\r\n\r\n${EVENT}`),
  // A second request smuggled behind the first.
  fc.constantFrom('0', '5', '16').map((value) => `${POST}content-length: ${value}\r\n\r\n${EVENT}${GET}`),
  fc.tuple(fc.constantFrom(WHOLE, GET), junk).map(([first, rest]) => `${first}${rest}`),
  fc.tuple(junk, fc.constantFrom(WHOLE, GET)).map(([rest, first]) => `${rest}${first}`),
  // A head with something in it that does not belong there.
  fc
    .tuple(
      fc.constantFrom(WHOLE, GET, `${POST}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
      fc.double({ min: 0, max: 1, noNaN: true }),
      junk,
    )
    .map(
      ([text, at, put]) =>
        text.slice(0, Math.floor(at * text.length)) + put + text.slice(Math.floor(at * text.length)),
    ),
  fc
    .integer({ min: 1, max: 3_000 })
    .map((count) => `GET /livez HTTP/1.1\r\n${HEAD}${'a: b\r\n'.repeat(count)}\r\n`),
  fc.integer({ min: 8_000, max: 40_000 }).map((size) => `GET /${'x'.repeat(size)} HTTP/1.1\r\n${HEAD}\r\n`),
  fc
    .integer({ min: 8_000, max: 40_000 })
    .map((size) => `GET /livez HTTP/1.1\r\n${HEAD}x: ${'y'.repeat(size)}\r\n\r\n`),
  fc.constantFrom(
    ...[
      'GET / HTTP/0.9\r\n\r\n',
      'GET /livez\r\n\r\n',
      'GET /livez HTTP/1.0\r\n\r\n',
      'GET /livez HTTP/2.0\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ],
    ...[
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
      '\x05\x01\x00',
    ],
    ...[
      'GET http://127.0.0.1:1/ HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
      `GET /livez HTTP/1.1\r\n${HEAD}upgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
    ],
    ...[
      `GET /livez HTTP/1.1\r\n${HEAD}host: b\r\n\r\n`,
      `GET /livez HTTP/1.1\r\n folded: x\r\n\r\n`,
      `GET /livez HTTP/1.1\r\nbad header: x\r\n\r\n`,
    ],
    ...[
      `${POST}expect: 100-continue\r\ncontent-length: ${EVENT.length}\r\n\r\n`,
      `${POST}expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n`,
    ],
  ),
  // Whole requests, one behind the other.
  fc.array(fc.constantFrom(WHOLE, GET), { minLength: 2, maxLength: 8 }).map((all) => all.join('')),
)
