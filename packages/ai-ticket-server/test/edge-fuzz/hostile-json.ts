import fc from 'fast-check'

/** Texts that broke somebody's server once. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        '',
        ' ',
        '\0',
        'a\0b',
        '\uD800',
        'x\uDC00y',
        '\uFEFF',
        '\uE000',
        '\u202E',
        '\u2028',
        '\r\n',
        '\u001B[2J',
      ],
      ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN'],
      ...[
        "'; DROP TABLE tickets; --",
        '%00',
        '%',
        '_',
        '\\',
        '"',
        '{{7*7}}',

        '../../etc/passwd',
        '$.a',
        '{',
        '[',
      ],
      ...[
        '```json\n{"prompt":"x"}\n```',
        '{"messages":[]}',
        '{"__proto__":1}',
        '"text"',
        '[1]',
        '1e999',
        '🎟️',
      ],
      ...['x'.repeat(300), 'a'.repeat(70_000)],
    ),
  },
)

export const hostileNumber: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e21, 1e308, 5e-324, -1e308),
)

const key = fc.oneof(
  fc.constantFrom(
    'content',
    'prompt',
    'messages',
    'role',
    'text',
    'type',
    'id',
    'parameters',
    'model',
    'metadata',
  ),
  hostileText,
)

/** Any JSON value. A `__proto__` in it is a key like others, as `JSON.parse` makes it. */
export const hostileValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    hostileText,
    hostileNumber,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(key, tie('value')), { maxLength: 4 })
      .map((entries) => Object.assign(Object.create(null), Object.fromEntries(entries))),
  ),
})).value

const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)

/** Text that is no JSON, or more of it than is good. */
export const brokenJson: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      '{',
      '}',
      '[]]',
      '{"content":',
      '{"content":"x"',
      '{"content":"x",}',
      "{'content':'x'}",
      'NaN',
    ],
    ...[
      '{"content":"\\ud800"}',
      '{"content":"\\u0000"}',
      '{"content":"a\u0001b"}',
      '{"content":"\\x"}',
      '{"content":1e999}',
    ],
    ...[
      '{"content":"x","timeout_ms":1e999}',
      '{"content":"x","priority":-1e999}',
      '{"content":"x","content":{"prompt":1}}',
    ],
    ...[
      '{"__proto__":{"content":"x"}}',
      '{"content":"x","constructor":{"prototype":{"a":1}}}',
      '\uFEFF{"content":"x"}',
    ],
    ...[
      '{"content":{"__proto__":[]}}',
      '{"content":"x"}{"content":"y"}',
      'null',
      'true',
      '"x"',
      '7',
      '-0',
      '[[]]',
    ],
  ),
  fc.integer({ min: 50, max: 20_000 }).map((depth) => `{"content":${nested('[', ']', depth)}}`),
  fc
    .integer({ min: 50, max: 5_000 })
    .map((depth) => `{"content":"x","metadata":${nested('{"a":', '}', depth)}}`),
  fc.integer({ min: 50, max: 100_000 }).map((depth) => '['.repeat(depth)),
  fc
    .integer({ min: 1, max: 20_000 })
    .map(
      (count) =>
        `{"content":{${Array.from({ length: count }, (_, index) => `"k${index}":${index}`).join()}}}`,
    ),
)

/** A text with one thing wrong in it. */
export const mutated = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .record({
      text,
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.integer({ min: 0, max: 5 }),
      put: fc.oneof(
        fc.constant(''),
        fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '\\', '\0', '-', '1e9'),
        hostileText,
      ),
    })
    .map(({ text, at, cut, put }) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + put + text.slice(start + cut)
    })
