import fc from 'fast-check'
import { hostileNumber, hostileText, hostileValue } from './hostile-json.ts'

const type = fc.constantFrom('object', 'string', 'integer', 'number', 'array', 'boolean', 'null', [
  'string',
  'null',
])
const few = fc.nat({ max: 3 })

const keywords = {
  properties: fc.dictionary(hostileText, fc.record({ type }), { maxKeys: 3 }),
  required: fc.array(hostileText, { maxLength: 2 }),
  items: fc.record({ type }),
  enum: fc.array(hostileValue, { minLength: 1, maxLength: 2 }),
  const: hostileValue,
  pattern: fc.constantFrom('^a+$', '(a+)+$', '(', '\\', '(?=x)', '\\p{L}'),
  $ref: fc.constantFrom('#', '#/properties/a', 'http://127.0.0.1:1/x.json', '#/$defs/__proto__'),
  $id: hostileText,
  $schema: fc.constantFrom('http://json-schema.org/draft-04/schema#', 'x'),
  additionalProperties: fc.oneof(fc.boolean(), fc.record({ type })),
  format: fc.oneof(fc.constantFrom('date-time', 'uri', 'regex', 'email'), hostileText),
  minItems: few,
  maxLength: few,
  multipleOf: hostileNumber,
  minimum: hostileNumber,
  anyOf: fc.array(fc.record({ type }), { maxLength: 2 }),
  not: fc.record({ type }),
}

/** JSON Schemas: of sense, of nonsense, and none. */
export const hostileSchema: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constant({ type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(type, fc.subarray(Object.entries(keywords), { maxLength: 3 }))
      .chain(([type, chosen]) => fc.record({ type: fc.constant(type), ...Object.fromEntries(chosen) })),
  },
  { weight: 1, arbitrary: fc.dictionary(hostileText, hostileValue, { maxKeys: 3 }) },
)
