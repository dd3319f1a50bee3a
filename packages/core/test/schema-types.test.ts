import {
  createKoboldBackend,
  type Dispatcher,
  type FailureOutcome,
  type StreamEvent,
  type SuccessOutcome,
} from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { deskOn } from './desk-on.ts'

// `expectTypeOf` speaks to the compiler (`tsc -p packages/core`); at run time the same calls are made for real.

const ofValibot = v.object({
  category: v.picklist(['bug', 'question']),
  priority: v.pipe(v.number(), v.integer(), v.minValue(1)),
  due: v.optional(v.pipe(v.string(), v.isoDate())),
})
const ofZod = z.object({
  category: z.enum(['bug', 'question']),
  priority: z.number().int().min(1),
  due: z.iso.date().optional(),
})
const ofArktype = type({
  category: "'bug' | 'question'",
  priority: 'number.integer >= 1',
  'due?': 'string',
})

interface Triage {
  category: 'bug' | 'question'
  priority: number
  due?: string | undefined
}

async function openDesk(...answers: string[]) {
  const simulator = await startKoboldSimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    ignoreSchema: true,
    answer: () => (answers.length > 1 ? answers.shift() : answers[0]) ?? '',
  })
  return deskOn(simulator, createKoboldBackend({ url: simulator.url }))
}

const RIGHT = '{"category":"bug","priority":2,"due":"2026-03-01"}'
const WRONG = '{"category":"rant","priority":0}'

test('valibot types the data', async () => {
  await using desk = await openDesk(RIGHT)
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema: ofValibot })
  if (outcome.error !== undefined) throw new Error(outcome.details)
  expectTypeOf(outcome.data).toEqualTypeOf<v.InferOutput<typeof ofValibot>>()
  expectTypeOf(outcome.data.category).toEqualTypeOf<'bug' | 'question'>()
  expect(outcome.data).toEqual(JSON.parse(RIGHT))
})

test('zod types the data', async () => {
  await using desk = await openDesk(RIGHT)
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema: ofZod })
  if (outcome.error !== undefined) throw new Error(outcome.details)
  expectTypeOf(outcome.data).toEqualTypeOf<z.output<typeof ofZod>>()
  expectTypeOf(outcome.data).toExtend<Triage>()
  expect(outcome.data).toEqual(JSON.parse(RIGHT))
})

test('arktype types the data', async () => {
  await using desk = await openDesk(RIGHT)
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema: ofArktype })
  if (outcome.error !== undefined) throw new Error(outcome.details)
  expectTypeOf(outcome.data).toEqualTypeOf<typeof ofArktype.infer>()
  expectTypeOf(outcome.data).toExtend<Triage>()
  expect(outcome.data).toEqual(JSON.parse(RIGHT))
})

test('without a schema there are no data', async () => {
  await using desk = await openDesk('Hello.')
  const outcome = await desk.dispatcher.onEvent({ content: 'Say hello.' })
  expectTypeOf(outcome).toEqualTypeOf<SuccessOutcome | FailureOutcome>()
  expectTypeOf<SuccessOutcome['data']>().toEqualTypeOf<unknown>()
  expect(outcome).not.toHaveProperty('data')
  expect(outcome).not.toHaveProperty('schema')
})

test('what transforms is typed and given by its output', async () => {
  await using desk = await openDesk('{"due":"2026-03-01"}')
  const schema = v.object({
    due: v.pipe(
      v.string(),
      v.isoDate(),
      v.transform((text) => new Date(text)),
    ),
  })
  const outcome = await desk.dispatcher.onEvent({ content: 'When?' }, { schema })
  if (outcome.error !== undefined) throw new Error(outcome.details)
  expectTypeOf(outcome.data).toEqualTypeOf<{ due: Date }>()
  expect(outcome.data.due.getUTCFullYear()).toBe(2026)
  expect(outcome.completion).toBe('{"due":"2026-03-01"}')
})

test('a stream is typed by the schema', async () => {
  await using desk = await openDesk(RIGHT)
  const stream = desk.dispatcher.streamEvent({ content: 'Triage.' }, { schema: ofZod })
  expectTypeOf(stream).toEqualTypeOf<AsyncIterable<StreamEvent<z.output<typeof ofZod>>>>()
  for await (const event of stream) {
    if (event.type === 'partial')
      expectTypeOf(event.data.category).toEqualTypeOf<'bug' | 'question' | undefined>()
    if (event.type === 'done') expectTypeOf(event.outcome.data).toEqualTypeOf<z.output<typeof ofZod>>()
  }
  expectTypeOf<ReturnType<Dispatcher['streamEvent']>>().toEqualTypeOf<AsyncIterable<StreamEvent>>()
})

describe.each([
  ['valibot', ofValibot, ['picklist', 'min_value']],
  ['zod', ofZod, ['invalid_value', 'too_small']],
  ['arktype', ofArktype, ['union', 'min']],
] as const)('%s', (_vendor, schema, rules) => {
  test('the backend is told a JSON Schema', async () => {
    await using desk = await openDesk(RIGHT)
    await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema })
    expect(JSON.stringify(desk.simulator.calls[0]?.body)).toContain('question')
  })

  test('its rules are named, its values are not', async () => {
    await using desk = await openDesk(WRONG)
    const outcome = await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema })
    expect(outcome).toMatchObject({
      error: 'output_schema_mismatch',
      schema: {
        repairs: 2,
        errors: [
          { path: '/category', rule: rules[0] },
          { path: '/priority', rule: rules[1] },
        ],
      },
    })
    const { partial, ...rest } = outcome as FailureOutcome
    expect(partial).toBe(WRONG)
    expect(JSON.stringify(rest)).not.toContain('rant')
  })
})

test.each([
  ['a JSON Schema', { type: 'object' }, 'goes into the event'],
  ['a date, which JSON does not have', v.object({ due: v.date() }), 'has no JSON Schema'],
  [
    'another vendor',
    { '~standard': { version: 1, vendor: 'mine', validate: () => ({ value: 1 }) } },
    '(mine)',
  ],
])('%s as the option is misuse', async (_what, schema, said) => {
  await using desk = await openDesk(RIGHT)
  const wrong = { schema: schema as typeof ofValibot }
  await expect(desk.dispatcher.onEvent({ content: 'Triage.' }, wrong)).rejects.toThrow(said)
  await expect(desk.dispatcher.onEvent({ content: 'Triage.' }, wrong)).rejects.toBeInstanceOf(TypeError)
  expect(desk.simulator.calls).toHaveLength(0)
})

test('a schema that throws ends its event, and frees the slot', async () => {
  await using desk = await openDesk(RIGHT)
  const schema = v.pipe(
    v.object({ category: v.string() }),
    v.check(() => {
      throw new RangeError('mine')
    }),
  )
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.' }, { schema })
  expect(outcome).toMatchObject({
    error: 'configuration_error',
    details: expect.stringContaining('RangeError'),
  })
  expect(await desk.dispatcher.onEvent({ content: 'Hello.' })).toHaveProperty('completion')
})
