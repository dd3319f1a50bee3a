export interface SchemaCase {
  name: string
  schema: Record<string, unknown>
  right: unknown
  /** With the place and the rule that it breaks. */
  wrong: { value: unknown; path: string; rule: string }
}

const text = { type: 'string' }
const whole = { type: 'integer' }
const one = (
  name: string,
  schema: Record<string, unknown>,
  right: unknown,
  [value, path, rule]: [unknown, string, string],
): SchemaCase => ({ name, schema, right, wrong: { value, path, rule } })

const closed = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})
const field = (schema: unknown) => closed({ it: schema })

const tree = {
  $ref: '#/$defs/node',
  $defs: {
    node: closed({ name: text, kids: { type: 'array', items: { $ref: '#/$defs/node' } } }, ['name']),
  },
}
const address = closed({ street: text, city: text })

/** Nested, arrays, enums, unions, optional, formats, recursion; what an automation asks for. */
export const SCHEMA_CASES: readonly SchemaCase[] = [
  one('an object', closed({ a: text, b: whole }), { a: 'x', b: 1 }, [{ a: 'x' }, '/b', 'required']),
  one('an optional field, absent', closed({ a: text, b: whole }, ['a']), { a: 'x' }, [
    { a: 1 },
    '/a',
    'type',
  ]),
  one('an optional field, given', closed({ a: text, b: whole }, ['a']), { a: 'x', b: 2 }, [
    { a: 'x', b: '2' },
    '/b',
    'type',
  ]),
  one('no field beside', field(text), { it: 'x' }, [{ it: 'x', more: 1 }, '/more', 'additionalProperties']),
  one('fields beside of one type', { type: 'object', additionalProperties: whole }, { x: 1, y: 2 }, [
    { x: 'a' },
    '/x',
    'type',
  ]),
  one(
    'nested objects',
    closed({ name: text, home: address }),
    { name: 'A', home: { street: 'S 1', city: 'C' } },
    [{ name: 'A', home: { street: 'S 1' } }, '/home/city', 'required'],
  ),
  one('three levels', field(field(field(whole))), { it: { it: { it: 3 } } }, [
    { it: { it: { it: 'x' } } },
    '/it/it/it',
    'type',
  ]),
  one('a list', { type: 'array', items: text }, ['a', 'b'], [['a', 1], '/1', 'type']),
  one('an empty list', { type: 'array', items: text }, [], [{}, '', 'type']),
  one(
    'a list of objects',
    { type: 'array', items: field(whole) },
    [{ it: 1 }, { it: 2 }],
    [[{ it: 1 }, {}], '/1/it', 'required'],
  ),
  one(
    'a list of lists',
    { type: 'array', items: { type: 'array', items: whole } },
    [[1], [2, 3]],
    [[[1], ['x']], '/1/0', 'type'],
  ),
  one('a least length of a list', { type: 'array', minItems: 2 }, [1, 2], [[1], '', 'minItems']),
  one('a greatest length of a list', { type: 'array', maxItems: 2 }, [1, 2], [[1, 2, 3], '', 'maxItems']),
  one(
    'items that differ',
    { type: 'array', uniqueItems: true },
    [{ a: 1, b: 2 }, { b: 1 }],
    [
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      '',
      'uniqueItems',
    ],
  ),
  one(
    'a tuple',
    { type: 'array', prefixItems: [text, whole], items: false },
    ['a', 1],
    [['a', 'b'], '/1', 'type'],
  ),
  one('a list that contains', { type: 'array', contains: { const: 7 } }, [1, 7], [[1, 2], '', 'contains']),
  one('an enum', field({ enum: ['bug', 'question', 'praise'] }), { it: 'bug' }, [
    { it: 'rant' },
    '/it',
    'enum',
  ]),
  one('an enum of several types', field({ enum: ['auto', 0, null] }), { it: null }, [
    { it: 1 },
    '/it',
    'enum',
  ]),
  one('a constant', field({ const: 'v1' }), { it: 'v1' }, [{ it: 'v2' }, '/it', 'const']),
  one('a boolean', field({ type: 'boolean' }), { it: true }, [{ it: 'yes' }, '/it', 'type']),
  one('null', field({ type: 'null' }), { it: null }, [{ it: 0 }, '/it', 'type']),
  one('text or null', field({ type: ['string', 'null'] }), { it: null }, [{ it: 5 }, '/it', 'type']),
  one('a range', field({ type: 'integer', minimum: 1, maximum: 5 }), { it: 3 }, [
    { it: 6 },
    '/it',
    'maximum',
  ]),
  one('an open range', field({ type: 'number', exclusiveMinimum: 0 }), { it: 0.5 }, [
    { it: 0 },
    '/it',
    'exclusiveMinimum',
  ]),
  one('cents', field({ type: 'number', multipleOf: 0.01 }), { it: 19.99 }, [
    { it: 19.999 },
    '/it',
    'multipleOf',
  ]),
  one('a least length of text', field({ type: 'string', minLength: 3 }), { it: 'abc' }, [
    { it: 'ab' },
    '/it',
    'minLength',
  ]),
  one('a greatest length of text', field({ type: 'string', maxLength: 3 }), { it: 'äöü' }, [
    { it: 'abcd' },
    '/it',
    'maxLength',
  ]),
  one('a pattern', field({ type: 'string', pattern: '^[A-Z]{2}-\\d{4}$' }), { it: 'AB-1234' }, [
    { it: 'ab-1234' },
    '/it',
    'pattern',
  ]),
  one(
    'a pattern with a class of Unicode',
    field({ type: 'string', pattern: '^\\p{Letter}+$' }),
    { it: 'Größe' },
    [{ it: '123' }, '/it', 'pattern'],
  ),
  one(
    'fields by pattern',
    { type: 'object', patternProperties: { '^n_': whole }, additionalProperties: false },
    { n_a: 1 },
    [{ n_a: 'x' }, '/n_a', 'type'],
  ),
  one('names of fields', { type: 'object', propertyNames: { maxLength: 3 } }, { abc: 1 }, [
    { abcd: 1 },
    '',
    'maxLength',
  ]),
  one('a least number of fields', { type: 'object', minProperties: 1 }, { a: 1 }, [{}, '', 'minProperties']),
  one('a date', field({ type: 'string', format: 'date' }), { it: '2026-02-28' }, [
    { it: '2026-02-30' },
    '/it',
    'format',
  ]),
  one('a date and time', field({ type: 'string', format: 'date-time' }), { it: '2026-02-28T12:00:00Z' }, [
    { it: 'yesterday' },
    '/it',
    'format',
  ]),
  one('an e-mail address', field({ type: 'string', format: 'email' }), { it: 'a@example.org' }, [
    { it: 'a at b' },
    '/it',
    'format',
  ]),
  one('an address', field({ type: 'string', format: 'uri' }), { it: 'https://example.org/x' }, [
    { it: 'not one' },
    '/it',
    'format',
  ]),
  one('a UUID', field({ type: 'string', format: 'uuid' }), { it: '0190f5b4-1111-7222-8333-444455556666' }, [
    { it: '42' },
    '/it',
    'format',
  ]),
  one('an unknown format', field({ type: 'string', format: 'shoe-size' }), { it: '42' }, [
    { it: 42 },
    '/it',
    'type',
  ]),
  one(
    'one of two objects',
    {
      anyOf: [closed({ ok: { const: true }, value: whole }), closed({ ok: { const: false }, reason: text })],
    },
    { ok: false, reason: 'r' },
    [{ ok: false }, '', 'anyOf'],
  ),
  one(
    'exactly one of',
    {
      oneOf: [
        { type: 'object', required: ['a'] },
        { type: 'object', required: ['b'] },
      ],
    },
    { a: 1 },
    [{ a: 1, b: 2 }, '', 'oneOf'],
  ),
  one('all of', { allOf: [{ type: 'object', required: ['a'] }, { properties: { a: whole } }] }, { a: 1 }, [
    { a: 'x' },
    '/a',
    'type',
  ]),
  one('not', field({ type: 'string', not: { const: 'unknown' } }), { it: 'x' }, [
    { it: 'unknown' },
    '/it',
    'not',
  ]),
  one(
    'if, then',
    {
      type: 'object',
      if: { properties: { kind: { const: 'refund' } }, required: ['kind'] },
      // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
      then: { required: ['amount'] },
    },
    { kind: 'refund', amount: 1 },
    [{ kind: 'refund' }, '/amount', 'required'],
  ),
  one(
    'a field that needs another',
    { type: 'object', dependentRequired: { card: ['expiry'] } },
    { card: '1', expiry: '2' },
    [{ card: '1' }, '/expiry', 'dependentRequired'],
  ),
  one(
    'a reference',
    { ...field({ $ref: '#/$defs/home' }), $defs: { home: address } },
    { it: { street: 's', city: 'c' } },
    [{ it: {} }, '/it/street', 'required'],
  ),
  one(
    'a reference beside a rule',
    { ...field({ $ref: '#/$defs/n', minimum: 5 }), $defs: { n: whole } },
    { it: 5 },
    [{ it: 4 }, '/it', 'minimum'],
  ),
  one('recursion', tree, { name: 'a', kids: [{ name: 'b', kids: [] }] }, [
    { name: 'a', kids: [{ kids: [] }] },
    '/kids/0/name',
    'required',
  ]),
  one(
    'recursion to the root',
    { type: 'object', properties: { next: { $ref: '#' }, n: whole }, required: ['n'] },
    { n: 1, next: { n: 2 } },
    [{ n: 1, next: {} }, '/next/n', 'required'],
  ),
  one(
    'an older draft said so',
    {
      $schema: 'http://json-schema.org/draft-07/schema#',
      definitions: { n: whole },
      ...field({ $ref: '#/definitions/n' }),
    },
    { it: 1 },
    [{ it: 'x' }, '/it', 'type'],
  ),
  one('unknown words', { ...field(text), 'x-order': 1, title: 'T', examples: [1] }, { it: 'x' }, [
    { it: 1 },
    '/it',
    'type',
  ]),
  one(
    'a name that is special',
    closed({ __proto__x: text, constructor: whole }),
    { __proto__x: 'a', constructor: 1 },
    [{ __proto__x: 'a', constructor: 'b' }, '/constructor', 'type'],
  ),
]
