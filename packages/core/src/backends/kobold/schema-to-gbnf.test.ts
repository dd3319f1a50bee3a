import { expect, test } from 'vitest'
import { schemaToGbnf } from './schema-to-gbnf.ts'

const rulesOf = (grammar: string) =>
  new Map(grammar.split('\n').map((line) => line.split(' ::= ', 2) as [string, string]))

test('properties come in their order, and what is optional may be left out with its comma', () => {
  const grammar = schemaToGbnf({
    type: 'object',
    properties: { a: { type: 'number' }, b: { type: 'string' }, c: { enum: ['x', 1] } },
    required: ['a'],
  })
  const rules = rulesOf(grammar ?? '')
  /** The rules as a regular expression, with words for the rules of JSON. */
  const expand = (name: string): string =>
    (rules.get(name) ?? name)
      .replaceAll('" "?', '')
      .replace(/\br\d+\b/g, (inner) => `(${expand(inner)})`)
      .replace(/"((?:[^"\\]|\\.)*)"/g, (_all, text: string) => text.replaceAll('\\"', "'"))
      .replaceAll(' ', '')
  const shape = new RegExp(`^${expand('root').replaceAll('{', '\\{')}$`)
  const written = (text: string) => text.replaceAll(':', 'colon').replaceAll(',', 'comma')
  for (const text of [
    "{'a':number}",
    "{'a':number,'b':string}",
    "{'a':number,'c':'x'}",
    "{'a':number,'b':string,'c':1}",
  ])
    expect(written(text)).toMatch(shape)
  for (const text of ["{'b':string}", '{}', "{'a':number,}", "{'a':number'b':string}", "{'c':1,'a':number}"])
    expect(written(text)).not.toMatch(shape)
})

test('every rule that is named is there', () => {
  const schema = {
    $defs: {
      node: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } } },
    },
    type: 'array',
    items: { $ref: '#/$defs/node' },
    minItems: 2,
  }
  const rules = rulesOf(schemaToGbnf(schema) ?? '')
  for (const text of rules.values()) {
    const names = text.replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]/g, '').match(/[a-z]\w*/g) ?? []
    for (const name of names) expect(rules.has(name), name).toBe(true)
  }
})

test('names and values are quoted twice: as JSON, and for the grammar', () => {
  const grammar = schemaToGbnf({ properties: { 'say "hi"\n': { const: 'ü\\' } }, required: ['say "hi"\n'] })
  expect(grammar).toContain(String.raw`"\"say \\\"hi\\\"\\n\"" colon "\"ü\\\\\""`)
})

test.each<[string, Record<string, unknown>]>([
  ['not', { not: { type: 'string' } }],
  ['a foreign reference', { $ref: 'https://example.com/a.json' }],
  ['a reference to nothing', { $ref: '#/$defs/none' }],
  ['a reference to itself alone', { $ref: '#' }],
  ['an unknown type', { type: 'date' }],
  ['an empty choice', { enum: [] }],
  ['tuples', { type: 'array', prefixItems: [{ type: 'string' }] }],
])('%s cannot be said', (_what, schema) => {
  expect(schemaToGbnf(schema)).toBeUndefined()
})
