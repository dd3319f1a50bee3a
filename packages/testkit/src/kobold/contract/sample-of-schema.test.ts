import { expect, test } from 'vitest'
import { sampleOfSchema } from './simulator-options.ts'

const text = { type: 'string' }

test.each<[object, unknown]>([
  [text, 'simulated'],
  [{ type: 'string', minLength: 12 }, 'simulated...'],
  [{ type: 'integer', minimum: 3 }, 3],
  [{ type: ['boolean', 'null'] }, true],
  [{ enum: ['bug', 'question'] }, 'bug'],
  [{ const: 7 }, 7],
  [{ type: 'array', items: text }, ['simulated']],
  [{ type: 'array', items: text, minItems: 2 }, ['simulated', 'simulated']],
  [{ properties: { a: text, b: { anyOf: [{ type: 'null' }, text] } } }, { a: 'simulated', b: null }],
  [{ properties: { a: { $ref: '#/$defs/n' } }, $defs: { n: { type: 'number' } } }, { a: 0 }],
  [{}, null],
])('of %j: %j', (schema, value) => {
  expect(sampleOfSchema(schema)).toEqual(value)
})

test('a schema that leads into itself ends', () => {
  expect(JSON.stringify(sampleOfSchema({ properties: { next: { $ref: '#' } } }))).toMatch(/null\}+$/)
})
