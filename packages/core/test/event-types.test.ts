import {
  createDispatcher,
  createKoboldBackend,
  type Dispatcher,
  type EventInput,
  type Outcome,
  onEvent,
  type Parameters,
  type ParametersInput,
} from '@ai-ticket/core'
import { EventSchema, ParametersSchema } from '@ai-ticket/core/schemas'
import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'

// The compiler is the judge here (`tsc -p packages/core`): a line under `@ts-expect-error` that compiles is an error.

const ofZod = z.object({ city: z.string() })
const ofValibot = v.object({ city: v.string() })
const ofArktype = type({ city: 'string' })

/** Never called. */
export function whatCompiles(desk: Dispatcher, maybe: string | undefined) {
  onEvent({ content: 'Hello' })
  desk.onEvent({ content: 'Hello', id: maybe, model: null, parameters: { max_tokens: 5, stop: 'x' } })
  desk.onEvent({ content: ['Hello', 'there'] })
  desk.onEvent({
    content: { prompt: 'Hello', temperature: 1, repeat_penalty: 1.1, max_completion_tokens: 7 },
  })
  desk.onEvent({ content: [{ role: 'user', content: 'Hello' }] })
  desk.onEvent({ content: [{ type: 'text', text: 'Hello' }] })
  desk.onEvent({
    content: {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: ['Hello', { type: 'image_url', image_url: 'data:image/png;base64,AA==' }] },
        { role: 'assistant', content: null, tool_calls: [{}] },
        { role: 'tool', tool_call_id: '1', content: '{}' },
      ],
      max_tokens: 5,
    },
  })
  const weather = { type: 'function', function: { name: 'weather', parameters: {} } } as const
  desk.streamEvent({ content: 'Hello', parameters: { tools: [weather], tool_choice: 'auto' } })
}

interface Order {
  readonly number: number
  readonly length: number
  readonly items: readonly string[]
}

/** Never called. Any object is a prompt: its JSON. */
export function whatCompilesAsJson(desk: Dispatcher, order: Order) {
  desk.onEvent({ content: order })
  desk.onEvent({ content: { subject: 'Late', body: 'Where is it?' } })
  // @ts-expect-error a list holds messages, texts or parts
  desk.onEvent({ content: [1, 2] })
  // @ts-expect-error messages are a list
  desk.onEvent({ content: { messages: 'Hello' } })
  // @ts-expect-error a prompt is a text
  desk.onEvent({ content: { prompt: 7 } })
  // @ts-expect-error a role that nobody has
  desk.onEvent({ content: [{ role: 'usr', content: 'Hello' }] })
}

/** Never called. */
export function whatIsMisspelt(desk: Dispatcher) {
  // @ts-expect-error content
  onEvent({ contnet: 'Hello' })
  // @ts-expect-error content
  onEvent({ contnet: 'Hello' }, { schema: ofZod })
  // @ts-expect-error content
  desk.streamEvent({ contnet: 'Hello' })
  const named = { contnet: 'Hello' }
  // @ts-expect-error content, also where the event has a name
  desk.onEvent(named)
  // @ts-expect-error it belongs in parameters
  desk.onEvent({ content: 'Hello', max_tokens: 5 })
  // @ts-expect-error timeout_ms
  desk.onEvent({ content: 'Hello', timeoutMs: 5 }, { signal: AbortSignal.timeout(5) })
  // @ts-expect-error max_tokens
  desk.onEvent({ content: 'Hello', parameters: { max_token: 5 } })
  // @ts-expect-error max_tokens
  desk.onEvent({ content: 'Hello', parameters: { maxTokens: 5, temperature: 1 } })
  // @ts-expect-error max_tokens
  desk.onEvent({ content: { prompt: 'Hello', maxTokens: 5 } })
  // @ts-expect-error a text is no event
  desk.onEvent('Hello')
  // @ts-expect-error neither is a list
  desk.onEvent([])
}

/** Never called. */
export function whatIsRaw(desk: Dispatcher, body: unknown, record: Record<string, unknown>) {
  onEvent(body)
  onEvent(body, { schema: ofZod })
  desk.onEvent(JSON.parse('{}'))
  desk.onEvent(record, { signal: AbortSignal.timeout(5) })
  desk.streamEvent(body)
  expectTypeOf(desk.onEvent(body)).toEqualTypeOf<Promise<Outcome>>()
}

interface TypedJsonSchema {
  type?: string | undefined
  properties?: Record<string, TypedJsonSchema> | undefined
}

/** Never called. */
export function whichSchemas(desk: Dispatcher, typed: TypedJsonSchema) {
  desk.onEvent({ content: 'Hello', schema: { type: 'object' } })
  desk.onEvent({ content: 'Hello', schema: typed })
  desk.onEvent({ content: 'Hello', schema: z.toJSONSchema(ofZod) })
  // @ts-expect-error it is an option
  desk.onEvent({ content: 'Hello', schema: ofZod })
  // @ts-expect-error it is an option
  desk.onEvent({ content: 'Hello', schema: ofValibot })
  // @ts-expect-error it is an option
  desk.onEvent({ content: 'Hello', schema: ofArktype })
}

test('the types name the fields that are read, and take every value that is', () => {
  type Read = v.InferInput<typeof EventSchema>
  type ReadParameters = v.InferOutput<typeof ParametersSchema>
  expectTypeOf<keyof EventInput>().toEqualTypeOf<keyof Read>()
  expectTypeOf<keyof ParametersInput>().toEqualTypeOf<keyof ReadParameters>()
  expectTypeOf<Omit<Read, 'content'>>().toExtend<Omit<EventInput, 'content'>>()
  expectTypeOf<ReadParameters>().toExtend<ParametersInput>()
  expectTypeOf<Parameters>().toExtend<ParametersInput>()
  expect(Object.keys(EventSchema.entries)).toContain('content')
  expect(Object.keys(ParametersSchema.pipe[1].entries)).toContain('max_tokens')
})

test('a raw payload is checked at run time', async () => {
  await using desk = createDispatcher({ backends: [createKoboldBackend({ url: 'http://127.0.0.1:9' })] })
  const raw: unknown = 'Hello'
  expect(await desk.onEvent(raw)).toMatchObject({ error: 'invalid_input_format' })
})
