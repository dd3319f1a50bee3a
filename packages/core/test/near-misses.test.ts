import {
  type Backend,
  createDispatcher,
  type EventWarning,
  type LogFields,
  type Logger,
  silentLogger,
} from '@ai-ticket/core'
import { type } from 'arktype'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import * as z from 'zod'

const backend = (): Backend => ({
  name: 'here',
  endpoints: [{ name: 'only', turns: true, images: false, tools: false, schema: false }],
  async *generate() {
    yield { type: 'end', text: '{"city":"Ulm"}', finish_reason: 'stop', raw_finish_reason: 'stop' }
  },
  probe: async () => ({ models: [] }),
  close: async () => {},
})

function openDesk() {
  const lines: [string, LogFields | undefined][] = []
  const logger: Logger = { ...silentLogger, warn: (message, fields) => lines.push([message, fields]) }
  return { lines, desk: createDispatcher({ backends: [backend()], logger }) }
}

async function warningsFor(event: unknown): Promise<EventWarning[] | undefined> {
  const { desk } = openDesk()
  const { warnings } = await desk.onEvent(event)
  await desk.close()
  return warnings
}

test.each([
  [{ content: 'Hi', max_token: 5 }, 'max_token', 'parameters.max_tokens'],
  [{ content: 'Hi', max_tokens: 5 }, 'max_tokens', 'parameters.max_tokens'],
  [{ content: 'Hi', maxTokens: 5 }, 'maxTokens', 'parameters.max_tokens'],
  [{ content: 'Hi', temprature: 1 }, 'temprature', 'parameters.temperature'],
  [{ contnet: 'Hi' }, 'contnet', 'content'],
  [{ messages: [] }, 'messages', 'content.messages'],
  [{ prompt: 'Hi' }, 'prompt', 'content.prompt'],
  [{ content: 'Hi', timeoutMs: 5 }, 'timeoutMs', 'timeout_ms'],
  [{ content: 'Hi', timeout: 5 }, 'timeout', 'timeout_ms'],
  [{ content: 'Hi', meta_data: {} }, 'meta_data', 'metadata'],
  [{ content: 'Hi', parameters: { max_token: 5 } }, 'parameters.max_token', 'parameters.max_tokens'],
  [{ content: 'Hi', parameters: { maxTokens: 5 } }, 'parameters.maxTokens', 'parameters.max_tokens'],
  [{ content: 'Hi', parameters: { timeout_ms: 5 } }, 'parameters.timeout_ms', 'timeout_ms'],
  [{ content: { prompt: 'Hi', topP: 1 } }, 'content.topP', 'content.top_p'],
  [{ content: '{"prompt": "Hi", "topP": 1}' }, 'content.topP', 'content.top_p'],
  [{ content: '```json\n{"promt": "Hi"}\n```' }, 'content.promt', 'content.prompt'],
  [{ content: { prompt: 'Hi', model: 'big' } }, 'content.model', 'model'],
  [{ content: { promt: 'Hi' } }, 'content.promt', 'content.prompt'],
  [{ content: { mesages: [{ role: 'user', content: 'Hi' }] } }, 'content.mesages', 'content.messages'],
])('%j: %s', async (event, field, meant) => {
  expect(await warningsFor(event)).toEqual([
    { field, details: `\`${field}\` is ignored. Did you mean \`${meant}\`?` },
  ])
})

test.each([
  { content: 'Hi' },
  { content: 'Hi', source: 'crm', tenant: 7, callback_url: 'https://example.org' },
  { content: 'Hi', message: 'Hello', context: 'shop', prompt: 'Hi' },
  { content: 'Hi', feed: 1, step: 2, mode: 'x', parameters: { seed: 1, n: 1, user: 'x', logprobs: true } },
  { content: '{ prompt: not JSON' },
  { content: '["Hi", "promt"]' },
  { content: { message: 'Hello', subject: 'Late', from: 'Ann' } },
  { content: { prompt: 'Hi', message: 'Hello', stream: true } },
  { content: 'Hi', max_tokens: 5, parameters: { max_tokens: 7 } },
])('%j resembles nothing', async (event) => {
  expect(await warningsFor(event)).toBeUndefined()
})

test('a failure names them, too, and the log names each once', async () => {
  const { desk, lines } = openDesk()
  const wrong: unknown = { id: 'e1', contnet: 'secret' }
  expect(await desk.onEvent(wrong, { logFields: { request_id: 'r1' } })).toMatchObject({
    error: 'missing_content_field',
    warnings: [{ field: 'contnet' }],
  })
  expect(await desk.onEvent(wrong)).toHaveProperty('warnings')
  // Beside the line of each event that says how it ended.
  expect(lines.filter(([message]) => message !== 'event failed')).toEqual([
    ['`contnet` is ignored. Did you mean `content`?', { request_id: 'r1', event_id: 'e1', field: 'contnet' }],
  ])
  await desk.close()
})

test('thousands of fields cost little, and are not all told', async () => {
  const strays = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`max_tokens${index}`, 1]))
  expect(await warningsFor({ ...strays, content: 'Hi' })).toHaveLength(10)
})

test('the stream tells them in its outcome', async () => {
  const { desk } = openDesk()
  const stray: unknown = { content: 'Hi', max_token: 5 }
  for await (const event of desk.streamEvent(stray)) {
    if (event.type === 'done') expect(event.outcome.warnings).toHaveLength(1)
  }
  await desk.close()
})

test.each([
  ['zod', z.object({ city: z.string() })],
  ['valibot', v.object({ city: v.string() })],
  ['arktype', type({ city: 'string' })],
])('a schema of %s in the event belongs into the second argument', async (_library, schema) => {
  const { desk } = openDesk()
  const event: unknown = { content: 'A city?', schema }
  expect(await desk.onEvent(event)).toMatchObject({
    error: 'invalid_input_format',
    details: expect.stringContaining('onEvent(event, { schema })'),
  })
  await desk.close()
})

test('the JSON Schema that zod makes is one', async () => {
  const { desk } = openDesk()
  const schema = z.toJSONSchema(z.object({ city: z.string() }))
  expect(await desk.onEvent({ content: 'A city?', schema })).toMatchObject({ data: { city: 'Ulm' } })
  await desk.close()
})
