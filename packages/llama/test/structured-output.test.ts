import { existsSync } from 'node:fs'
import { type Backend, createDispatcher, type Dispatcher } from '@ai-ticket/core'
import { createLlamaBackend } from '@ai-ticket/llama'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { schemaToGbnf } from '../../core/src/backends/kobold/schema-to-gbnf.ts'
import { modelPath, whyNot } from './model-path.ts'

const there = existsSync(modelPath)
test.skipIf(there)(`skipped: ${whyNot}`, () => {})

let desk: Dispatcher
beforeAll(async () => {
  // A model of 260 thousand parameters writes no JSON by itself: what comes is the grammar's doing.
  if (there)
    desk = createDispatcher({
      repairs: 0,
      backends: [await createLlamaBackend({ modelPath, gpu: false, threads: 1 })],
    })
})
afterAll(() => desk?.close())

const text = { type: 'string', maxLength: 12 }
const closed = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const mood = { enum: ['glad', 'sad', 'angry'] }

const SCHEMAS: [string, Record<string, unknown>][] = [
  ['an enum', closed({ mood })],
  ['a boolean', closed({ urgent: { type: 'boolean' } })],
  ['a text', closed({ name: text })],
  ['null or an enum', closed({ mood: { oneOf: [{ type: 'null' }, mood] } })],
  ['constants', closed({ version: { const: 'v1' }, mood })],
  ['nested objects', closed({ child: closed({ mood, pet: closed({ name: text }) }) })],
  ['a list of enums', closed({ moods: { type: 'array', items: mood, minItems: 2, maxItems: 3 } })],
  [
    'a list of objects',
    closed({ pets: { type: 'array', items: closed({ name: text, mood }), maxItems: 2 } }),
  ],
  [
    'one of two objects',
    closed({ it: { oneOf: [closed({ mood }), closed({ urgent: { type: 'boolean' } })] } }),
  ],
  [
    'a reference',
    {
      ...closed({ first: { $ref: '#/$defs/pet' }, second: { $ref: '#/$defs/pet' } }),
      $defs: { pet: closed({ mood }) },
    },
  ],
]

test.skipIf(!there).each(SCHEMAS)('the grammar makes %s', async (_what, schema) => {
  const outcome = await desk.onEvent({
    content: 'Once upon a time there was a child.',
    schema,
    parameters: { max_tokens: 300, temperature: 0.8, seed: 7 },
  })
  expect(outcome).toMatchObject({ data: expect.anything(), schema: { enforced_by: 'backend', repairs: 0 } })
})

/** Holds a text against a schema, as an answer is held. */
async function check(completion: string, schema: Record<string, unknown>) {
  const backend: Backend = {
    name: 'echo',
    endpoints: [{ name: 'chat', turns: true, images: false, tools: false, schema: 'json_schema' }],
    async *generate() {
      yield { type: 'end', text: completion, finish_reason: 'stop', raw_finish_reason: 'stop' }
    },
    probe: async () => ({ models: [] }),
    close: async () => {},
  }
  await using echo = createDispatcher({ repairs: 0, backends: [backend] })
  return await echo.onEvent({ content: 'Hi', schema })
}

// The grammar that older KoboldCPPs get, obeyed by the same engine that they use.
test.skipIf(!there).each(SCHEMAS)('a grammar of core makes %s', async (_what, schema) => {
  const outcome = await desk.onEvent({
    content: 'Once upon a time there was a child.',
    parameters: { max_tokens: 300, temperature: 0.8, seed: 7, grammar: schemaToGbnf(schema) },
  })
  if (outcome.error !== undefined) throw new Error(outcome.details)
  expect(await check(outcome.completion, schema), outcome.completion).toHaveProperty('data')
})
