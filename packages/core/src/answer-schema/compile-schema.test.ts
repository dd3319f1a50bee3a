import { expect, test } from 'vitest'
import type { JsonSchema } from '../contract/standard-schema.ts'
import { compileSchema } from './compile-schema.ts'
import { openJsonSchema } from './open-answer-schema.ts'

async function rulesOf(schema: JsonSchema, value: unknown): Promise<string[]> {
  const compiled = compileSchema(schema)
  if (!compiled.ok) throw new Error(compiled.failure.details)
  const verdict = await compiled.value(value, { steps: 0 })
  return verdict.ok ? [] : verdict.problems.map(({ rule }) => rule)
}

function refusalOf(schema: JsonSchema): string {
  const compiled = compileSchema(schema)
  return compiled.ok ? 'taken' : `${compiled.failure.code}: ${compiled.failure.details}`
}

const nested = (levels: number): JsonSchema =>
  levels === 0 ? { type: 'string' } : { properties: { a: nested(levels - 1) } }

test.each<[string, JsonSchema, string]>([
  ['a wrong type', { type: 'nonsense' }, '/type'],
  ['a type in the wrong place', { properties: { a: { type: 5 } } }, '/properties/a/type'],
  [
    'a schema that is a list',
    { properties: { a: [] } },
    '`schema.properties.a` must be a schema; it is a list',
  ],
  ['a reference outside', { $ref: 'https://example.org/schema.json' }, '`schema.$ref` must begin with "#"'],
  ['a reference to a file', { items: { $ref: 'other.json#/a' } }, '`schema.items.$ref`'],
  ['a dynamic reference outside', { $dynamicRef: 'x#y' }, '`schema.$dynamicRef`'],
  ['a reference to nothing', { $ref: '#/$defs/none' }, "can't resolve reference"],
  ['a document within', { $defs: { a: { $id: 'https://example.org/a' } } }, '`schema.$defs.a.$id`'],
  ['too deep', nested(40), 'nested deeper than 32'],
  ['too many', { anyOf: Array.from({ length: 600 }, () => ({})) }, 'more than 500 schemas'],
  ['too long', { enum: Array.from({ length: 20_000 }, (_, index) => `${index}`) }, 'at most 65536'],
  [
    'a pattern that is none',
    { pattern: '(' },
    '`schema.pattern` is a pattern that cannot be run: it is wrong',
  ],
  [
    'a back reference',
    { items: { pattern: '(a)\\1' } },
    '`schema.items.pattern` is a pattern that cannot be run: it uses a back',
  ],
  [
    'look-ahead',
    { properties: { a: { pattern: '^(?!x)' } } },
    '`schema.properties.a.pattern` is a pattern that cannot be run: it uses look-',
  ],
  [
    'look-behind',
    { anyOf: [{ pattern: '(?<=a)b' }] },
    '`schema.anyOf[0].pattern` is a pattern that cannot be run: it uses look-',
  ],
  [
    'look-around in a name',
    { patternProperties: { '(?=a)b': {} } },
    '`schema.patternProperties.(?=a)b` is a pattern that',
  ],
  ['too many repetitions', { pattern: 'a{2000}' }, '`schema.pattern` is a pattern that cannot be run'],
  ['a pattern of great length', { pattern: 'a'.repeat(600) }, 'longer than 512'],
])('%s is refused, naming it', (_what, schema, said) => {
  expect(refusalOf(schema)).toContain('invalid_input_format')
  expect(refusalOf(schema)).toContain(said)
})

const ab = { type: 'object', properties: { a: { type: 'number' } } }

test.each<[string, JsonSchema, string]>([
  ["OpenAI's wrapper", { name: 'x', strict: true, schema: ab }, '`schema.schema`'],
  ['with a description', { name: 'x', description: 'An x.', strict: true, schema: ab }, '`schema.schema`'],
  ['of the Responses API', { type: 'json_schema', name: 'x', schema: ab }, '`schema.schema`'],
  ['with a type', { type: 'object', strict: true, schema: ab }, '`schema.schema`'],
  ['around a schema of anything', { name: 'x', schema: {} }, '`schema.schema`'],
  [
    'the whole format',
    { type: 'json_schema', json_schema: { name: 'x', schema: ab } },
    '`schema.json_schema.schema`',
  ],
  ['the format without a name', { type: 'json_schema', json_schema: ab }, '`schema.json_schema`'],
  [
    'the field around it',
    { response_format: { type: 'json_schema', json_schema: { schema: ab } } },
    '`schema.response_format.json_schema.schema`',
  ],
  ['a tool', { type: 'function', function: { name: 'x', parameters: ab } }, '`schema.function.parameters`'],
])('a wrapper is refused, pointing at the schema in it: %s', (_what, schema, said) => {
  expect(refusalOf(schema)).toContain('invalid_input_format')
  expect(refusalOf(schema)).toContain(`send what is at ${said}`)
})

test.each<[string, JsonSchema, string]>([
  ['an example', { category: 'bug', urgent: true }, '`schema` is no JSON Schema'],
  ['an example with a title', { title: 'Dune', author: 'Herbert' }, '`schema` is no JSON Schema'],
  ['an example with a format', { format: 'pdf', pages: 3 }, '`schema` is no JSON Schema'],
  ['fields alone', { a: { type: 'number' }, b: { type: 'string' } }, '`schema` is no JSON Schema'],
  ['a wrong word', { propertys: { a: {} } }, '`schema` is no JSON Schema'],
  [
    'fields alone within',
    { type: 'object', properties: { home: { street: { type: 'string' } } } },
    '`schema.properties.home` is no JSON Schema',
  ],
])('what would take any answer is refused: %s', (_what, schema, said) => {
  expect(refusalOf(schema)).toContain(said)
})

test.each<[string, JsonSchema]>([
  ['nothing', {}],
  [
    'remarks',
    { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'T', description: 'Anything.' },
  ],
  ['a property of anything', { type: 'object', properties: { a: {}, b: { 'x-order': 1 } } }],
  [
    'a property named like a wrapper',
    { type: 'object', properties: { schema: ab, json_schema: { type: 'object' } } },
  ],
  ['an unknown word beside rules', { ...ab, schema: 'v1', nullable: true }],
])('%s may stay', (_what, schema) => {
  expect(refusalOf(schema)).toBe('taken')
})

test('a property may have the name of a keyword', async () => {
  const schema = { properties: { $ref: { type: 'string' }, pattern: { type: 'integer' } } }
  expect(await rulesOf(schema, { $ref: 'x', pattern: 1 })).toEqual([])
  expect(await rulesOf(schema, { $ref: 1, pattern: '(' })).toEqual(['type', 'type'])
})

test('a property named __proto__ changes nothing but its own value', async () => {
  const schema = JSON.parse('{"properties":{"__proto__":{"type":"integer"},"a":{"type":"string"}}}')
  expect(await rulesOf(schema, JSON.parse('{"__proto__":{"a":1}}'))).toEqual([])
  expect({}).not.toHaveProperty('a')
})

test('two patterns are two', async () => {
  const schema = { properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } } }
  expect(await rulesOf(schema, { a: 'a', b: 'b' })).toEqual([])
  expect(await rulesOf(schema, { a: 'b', b: 'b' })).toEqual(['pattern'])
})

/** Each of these would run for hours, or for ever, in an engine or a validator that is not held. */
test.each<[string, JsonSchema, unknown, string]>([
  ['a pattern that goes back', { pattern: '^(a+)+$' }, `${'a'.repeat(50_000)}!`, 'pattern'],
  [
    'a pattern that goes back in names',
    { patternProperties: { '^(a|a)*$': { type: 'null' } } },
    { ['a'.repeat(60)]: 1 },
    'type',
  ],
  [
    'a long pattern on a long text',
    { pattern: '[a-z]{1,500}[0-9]{1,500}$' },
    'a'.repeat(900_000),
    'complexity',
  ],
  [
    'references that double',
    {
      $ref: '#/$defs/a0',
      $defs: Object.fromEntries(
        Array.from({ length: 30 }, (_, index) => [
          `a${index}`,
          index === 29
            ? { type: 'string' }
            : { allOf: [{ $ref: `#/$defs/a${index + 1}` }, { $ref: `#/$defs/a${index + 1}` }] },
        ]),
      ),
    },
    'x',
    'complexity',
  ],
  ['a reference to itself', { $ref: '#' }, 1, 'complexity'],
  [
    'branches that double with the depth of the value',
    {
      anyOf: [
        { properties: { a: { $ref: '#' } }, required: ['b'] },
        { properties: { a: { $ref: '#' } }, required: ['c'] },
      ],
    },
    Array.from({ length: 60 }).reduce((below) => ({ a: below }), {}),
    'anyOf',
  ],
  [
    'items that differ, many',
    { uniqueItems: true },
    [...Array.from({ length: 100_000 }, (_, index) => index), 0],
    'uniqueItems',
  ],
  ['a format on a long text', { format: 'email' }, `${'a.'.repeat(400_000)}@`, 'format'],
])('%s ends in time', async (_what, schema, value, rule) => {
  const startedAt = process.cpuUsage()
  expect(await rulesOf(schema, value)).toContain(rule)
  // Of the processor, whatever else the machine does.
  expect(process.cpuUsage(startedAt).user / 1_000).toBeLessThan(5_000)
})

test('one answer that was too much does not count against the next', async () => {
  const compiled = compileSchema({ pattern: '[a-z]{1,500}[0-9]{1,500}$' })
  if (!compiled.ok) throw new Error(compiled.failure.details)
  expect(await compiled.value('a'.repeat(900_000), { steps: 0 })).toMatchObject({ ok: false })
  expect(await compiled.value('a1', { steps: 0 })).toMatchObject({ ok: true })
})

const list = <Item>(length: number, make: (index: number) => Item) =>
  Array.from({ length }, (_, index) => make(index))

/** Schemas and answers within all limits that multiply each other: each took 2 to 60 seconds, or the memory. */
const MULTIPLIED: readonly [string, JsonSchema, unknown][] = [
  [
    'objects to choose from',
    { items: { enum: list(5_000, (a) => ({ a })) } },
    list(20_000, (a) => ({ a: -a - 1 })),
  ],
  [
    'branches with lists to choose from',
    { items: { anyOf: list(400, (index) => ({ enum: [[index], [index, 1], [index, 2]] })) } },
    list(50_000, () => [0, 0, 0]),
  ],
  [
    'branches',
    { items: { anyOf: list(498, (index) => ({ type: 'string', maxLength: index })) } },
    list(100_000, () => 1),
  ],
  [
    'names that are missing',
    { items: { required: list(5_000, (index) => `n${index}`) } },
    list(20_000, () => ({})),
  ],
  [
    'wrong words and many to choose from',
    { items: { enum: list(6_000, (a) => `w${a}`) } },
    list(100_000, () => 'x'),
  ],
  [
    'lists without repetition, within each other',
    { $ref: '#/$defs/l', $defs: { l: { uniqueItems: true, items: { $ref: '#/$defs/l' } } } },
    list(60, () => 0).reduce<unknown>(
      (below) => [below, 1],
      list(30_000, (index) => index),
    ),
  ],
  [
    'lengths of a long text',
    { allOf: list(400, (index) => ({ maxLength: 2_000_000 - index, minLength: index })) },
    'ä'.repeat(500_000),
  ],
  [
    'names of many fields',
    { allOf: list(160, (index) => ({ additionalProperties: { not: { const: index } } })) },
    Object.fromEntries(list(50_000, (index) => [`f${index}`, 'x'])),
  ],
  [
    'fields that nobody looked at',
    { anyOf: list(240, (index) => ({ unevaluatedProperties: false, minProperties: index })) },
    Object.fromEntries(list(50_000, (index) => [`f${index}`, 'x'])),
  ],
  [
    'wrong items by reference',
    { items: { $ref: '#/$defs/a' }, $defs: { a: { type: 'string' } } },
    list(100_000, () => 1),
  ],
  [
    'wrong items by reference in branches',
    { items: { anyOf: list(3, () => ({ $ref: '#/$defs/a' })) }, $defs: { a: { type: 'string' } } },
    list(100_000, () => 1),
  ],
  ['texts of a format', { items: { format: 'uri' } }, list(500, () => `http://${'a.'.repeat(1_000)}%`)],
]

test.each(MULTIPLIED)('%s: judged in half a second, or not at all', async (_what, schema, value) => {
  const compiled = compileSchema(schema)
  if (!compiled.ok) throw new Error(compiled.failure.details)
  const startedAt = process.cpuUsage()
  const verdict = await compiled.value(value, { steps: 0 })
  expect(process.cpuUsage(startedAt).user / 1_000).toBeLessThan(1_000)
  expect(JSON.stringify(verdict).length).toBeLessThan(2_000_000)
})

test('what programs really ask is far from the budget', async () => {
  const item = { type: 'object', required: ['a', 'b', 'c'], additionalProperties: false } as const
  const properties = {
    a: { type: 'integer' },
    b: { enum: list(1_000, (index) => `w${index}`) },
    c: { format: 'date' },
  }
  const rows = list(20_000, (a) => ({ a, b: `w${a % 1_000}`, c: '2026-07-01' }))
  expect(await rulesOf({ uniqueItems: true, items: { ...item, properties } }, rows)).toEqual([])
  const places = list(100, (index) => ({ city: { name: `c${index}` }, x: index }))
  expect(
    await rulesOf(
      { items: { enum: places } },
      list(5_000, (index) => places[index % 100]),
    ),
  ).toEqual([])
  expect(
    await rulesOf(
      { items: { type: 'integer', minimum: 0 } },
      list(150_000, (a) => a),
    ),
  ).toEqual([])
})

test('a choice is found whatever the order of its keys, and a wrong one is told in few words', async () => {
  const schema = { enum: [{ a: 1, b: [2, { c: null }] }, 'x', 0] }
  expect(await rulesOf(schema, { b: [2, { c: null }], a: 1 })).toEqual([])
  expect(await rulesOf(schema, -0)).toEqual([])
  expect(await rulesOf(schema, { a: 1, b: [2, { c: 0 }] })).toEqual(['enum'])
  const compiled = compileSchema({ enum: list(5_000, (index) => `word ${index}`) })
  const verdict = compiled.ok ? await compiled.value('x', { steps: 0 }) : undefined
  expect(verdict).toMatchObject({ ok: false, problems: [{ rule: 'enum' }] })
  const message = verdict?.ok === false ? verdict.problems[0]?.message : ''
  expect(message).toMatch(/^must be one of \["word 0","word 1",/)
  expect(message?.length).toBeLessThan(1_100)
})

const circle: Record<string, unknown> = { type: 'object' }
circle.properties = { a: circle }
const thrower = {
  type: 'object',
  toJSON: () => {
    throw new Error('secret')
  },
}

test.each<[string, JsonSchema]>([
  ['a schema that throws when it is written', thrower],
  ['a part that throws', { properties: { a: thrower } }],
  ['a circle', circle],
  ['a number that JSON does not know', { maximum: 5n }],
])('half a schema is refused: %s', async (_what, schema) => {
  expect(refusalOf(schema)).toMatch(/^invalid_input_format: `schema` cannot be written as JSON/)
  const opened = await openJsonSchema(schema)
  expect(opened).toMatchObject({ ok: false, failure: { code: 'invalid_input_format' } })
})
