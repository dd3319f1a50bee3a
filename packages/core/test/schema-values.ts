import fc from 'fast-check'

export interface SchemaPair {
  readonly schema: Record<string, unknown>
  readonly value: unknown
}

/** Text that does not look like what an answer is searched for: quotes and fences are the faults' own. */
const words = fc
  .array(
    fc.constantFrom(
      'Ärger',
      'order',
      '42',
      'is late',
      'naïve',
      '東京',
      'a:b',
      'x,y',
      '{curly}',
      '[1]',
      'true',
    ),
    {
      maxLength: 4,
    },
  )
  .map((parts) => parts.join(' '))
const name = fc.stringMatching(/^[a-z][a-z_]{0,7}$/)

const scalar: fc.Arbitrary<SchemaPair> = fc.oneof(
  words.map((value) => ({ schema: { type: 'string' }, value })),
  fc.integer().map((value) => ({ schema: { type: 'integer' }, value })),
  fc.integer({ min: -999, max: 999 }).map((cents) => ({ schema: { type: 'number' }, value: cents / 100 })),
  fc.boolean().map((value) => ({ schema: { type: 'boolean' }, value })),
  fc.constant({ schema: { type: ['string', 'null'] }, value: null }),
  fc
    .uniqueArray(name, { minLength: 1, maxLength: 4 })
    .map((among) => ({ schema: { enum: among }, value: among[0] })),
)

/** A schema and a value that matches it, of the same making. */
export const schemaPair: fc.Arbitrary<SchemaPair> = fc.letrec<{ pair: SchemaPair; object: SchemaPair }>(
  (tie) => ({
    pair: fc.oneof(
      { maxDepth: 3 },
      scalar,
      tie('object'),
      fc.tuple(tie('pair'), fc.integer({ min: 0, max: 3 })).map(([item, count]) => ({
        schema: { type: 'array', items: item.schema },
        value: Array.from({ length: count }, () => item.value),
      })),
      fc.tuple(tie('pair'), tie('pair')).map(([wanted, other]) => ({
        schema: { anyOf: [other.schema, wanted.schema] },
        value: wanted.value,
      })),
    ),
    object: fc
      .uniqueArray(fc.tuple(name, tie('pair'), fc.boolean()), { selector: ([key]) => key, maxLength: 4 })
      .map((fields) => ({
        schema: {
          type: 'object',
          properties: Object.fromEntries(fields.map(([key, { schema }]) => [key, schema])),
          required: fields.filter(([, , optional]) => !optional).map(([key]) => key),
          additionalProperties: false,
        },
        value: Object.fromEntries(fields.map(([key, { value }]) => [key, value])),
      })),
  }),
).object
