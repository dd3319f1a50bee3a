import {
  createDispatcher,
  createKoboldBackend,
  createOpenAIBackend,
  type DispatcherOptions,
  type MessageInput,
} from '@ai-ticket/core'
import { type KoboldSimulatorOptions, startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'

const schema = {
  type: 'object',
  properties: { category: { enum: ['bug', 'question'] }, urgent: { type: 'boolean' } },
  required: ['category', 'urgent'],
  additionalProperties: false,
}
/** No grammar can say it, so a server of any age is told of it. */
const told = { ...schema, not: { type: 'null' } }
const RIGHT = '{"category":"bug","urgent":true}'
const DATA = { category: 'bug', urgent: true }

async function openDesk(options: KoboldSimulatorOptions, tuning: Partial<DispatcherOptions> = {}) {
  const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY, ...options })
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })], ...tuning })
  return {
    simulator,
    dispatcher,
    bodies: () => simulator.calls.map(({ body }) => body as Record<string, unknown>),
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await simulator.close()
    },
  }
}

/** Answers in turn; the last one for ever. */
function inTurn(...answers: string[]) {
  return () => (answers.length > 1 ? answers.shift() : answers[0]) ?? ''
}

test('a server that makes a grammar of the schema obeys it on every endpoint, and is certified', async () => {
  await using desk = await openDesk({
    answerJson: DATA,
    faults: [{ fault: 'status', status: 404, endpoint: 'chat' }],
  })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema })
  expect(outcome).toMatchObject({
    data: DATA,
    endpoint: 'text',
    schema: { enforced_by: 'backend', repairs: 0 },
  })
  expect(desk.bodies().at(-1)).toMatchObject({ grammar: expect.any(String) })
  expect(JSON.stringify(desk.bodies().at(-1)?.prompt)).not.toContain('JSON Schema')
  await desk.dispatcher.onEvent({ content: 'And this.', schema })
  const asked = desk.simulator.requests.filter(({ path }) => path.endsWith('/json_to_grammar'))
  expect(asked).toHaveLength(1)
})

test('a server that ignores its grammar is found out, and its answer repaired', async () => {
  await using desk = await openDesk({ ignoreSchema: true, answer: inTurn('Sure! It is a bug.', RIGHT) })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema })
  expect(outcome).toMatchObject({ data: DATA, schema: { enforced_by: 'repair', repairs: 1 } })
})

test('a server that ignores the schema, a model that answers right: the validator vouches for it', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn(RIGHT) })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told })
  expect(outcome).toMatchObject({
    completion: RIGHT,
    data: DATA,
    schema: { enforced_by: 'validator', repairs: 0 },
  })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('one repair: the answer and its faults follow in the conversation, in the same slot', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn('{"category":"bug"}', RIGHT) })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told })
  expect(outcome).toMatchObject({
    data: DATA,
    schema: { enforced_by: 'repair', repairs: 1, errors: [{ path: '/urgent', rule: 'required' }] },
    attempts: [
      { number: 1, result: 'output_schema_mismatch', details: expect.stringContaining('/urgent (required)') },
      { number: 2, result: 'completed', waited_ms: 0 },
    ],
  })
  expect(desk.bodies().map(({ messages }) => messages)).toEqual([
    [
      { role: 'system', content: expect.stringContaining('"category"') },
      { role: 'user', content: 'Triage this.' },
    ],
    [
      { role: 'system', content: expect.stringContaining('"category"') },
      { role: 'user', content: 'Triage this.' },
      { role: 'assistant', content: '{"category":"bug"}' },
      { role: 'user', content: expect.stringContaining('- /urgent: is missing') },
    ],
  ])
})

test('never right: two repairs, then a failure with the rules and the last text', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn('No idea.') })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told })
  expect(outcome).toMatchObject({
    error: 'output_schema_mismatch',
    partial: 'No idea.',
    schema: { repairs: 2, errors: [{ path: '', rule: 'json' }] },
  })
  expect(desk.simulator.calls).toHaveLength(3)
})

test('`repairs: 0` takes the first answer or none', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn('No idea.', RIGHT) }, { repairs: 0 })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told })
  expect(outcome).toMatchObject({ error: 'output_schema_mismatch', schema: { repairs: 0 } })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('a repair that does not fit the context is not made', async () => {
  const long = `No: ${'word '.repeat(150)}`
  await using desk = await openDesk({ version: '1.76', contextLength: 600, answer: inTurn(long) })
  const event = { content: 'Triage this.', schema: told, parameters: { max_tokens: 300 } }
  const outcome = await desk.dispatcher.onEvent(event)
  expect(outcome).toMatchObject({
    error: 'output_schema_mismatch',
    schema: { repairs: 0, errors: [{ path: '', rule: 'json' }] },
  })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('turns that were dropped for the context are counted without the turn that tells of the schema', async () => {
  await using desk = await openDesk({ version: '1.76', contextLength: 700, answer: inTurn(RIGHT) })
  const content: MessageInput[] = [
    { role: 'user', content: 'old '.repeat(600) },
    { role: 'assistant', content: 'I see.' },
    { role: 'user', content: 'Triage this.' },
  ]
  const event = {
    content,
    schema: told,
    parameters: { max_tokens: 100 },
    context_policy: 'drop_oldest' as const,
  }
  expect(await desk.dispatcher.onEvent(event)).toMatchObject({ data: DATA, dropped_turns: [0] })
})

test("a caller's own grammar goes before the schema, which is told and checked", async () => {
  await using desk = await openDesk({ answer: inTurn(RIGHT) })
  const grammar = 'root ::= "{" [^}]* "}"'
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.', schema, parameters: { grammar } })
  expect(outcome).toMatchObject({ data: DATA, schema: { enforced_by: 'validator' } })
  expect(desk.bodies()[0]).toMatchObject({ grammar, messages: [{ role: 'system' }, { role: 'user' }] })
})

test('an answer that calls a tool is not held against the schema', async () => {
  const call = { id: 'call_1', type: 'function', function: { name: 'look_up', arguments: '{}' } }
  await using desk = await openDesk({ answer: () => ({ text: '', toolCalls: [call] }) })
  const tools = [{ type: 'function', function: { name: 'look_up', parameters: { type: 'object' } } }]
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage.', schema, parameters: { tools } })
  expect(outcome).toMatchObject({ finish_reason: 'tool_calls', tool_calls: [call] })
  expect(outcome).not.toHaveProperty('data')
})

test('the deadline holds while an answer is repaired', async () => {
  const slow = { version: '1.76' as const, tokensPerSecond: 20, answer: inTurn('No idea at all.') }
  await using desk = await openDesk(slow, { repairs: 20 })
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told, timeout_ms: 3_000 })
  expect(outcome).toMatchObject({ error: 'deadline_exceeded' })
  expect(desk.simulator.calls.length).toBeGreaterThan(1)
})

test('values stay out of the failure', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn('{"category":"secret-value"}') })
  const { partial, ...outcome } = (await desk.dispatcher.onEvent({ content: 'Triage.', schema: told })) as {
    partial?: string
  }
  expect(partial).toContain('secret-value')
  expect(JSON.stringify(outcome)).not.toContain('secret-value')
})

test('JSON that was cut off is a failure that says so, and is not asked for again', async () => {
  await using desk = await openDesk({ version: '1.115.1', ignoreSchema: true, answer: inTurn(RIGHT) })
  const event = { content: 'Triage this.', schema, parameters: { max_tokens: 3 } }
  expect(await desk.dispatcher.onEvent(event)).toMatchObject({
    error: 'output_schema_mismatch',
    details: expect.stringContaining('max_tokens'),
    schema: { repairs: 0, errors: [{ path: '', rule: 'incomplete' }] },
  })
  expect(desk.simulator.calls).toHaveLength(1)
})

test('complete JSON counts, whatever the server says of its end', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn(RIGHT), finishReason: 'length' })
  expect(await desk.dispatcher.onEvent({ content: 'Triage this.', schema: told })).toMatchObject({
    data: DATA,
  })
})

test('a server that refuses the schema is asked again without, once, and not again by the next event', async () => {
  await using simulator = await startOpenAISimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    refusedFields: ['response_format'],
    answer: () => RIGHT,
  })
  await using desk = createDispatcher({ backends: [createOpenAIBackend({ url: simulator.url })] })
  const event = { content: 'Triage this.', schema: { ...schema, title: 'Refused' } }
  expect(await desk.onEvent(event)).toMatchObject({
    data: DATA,
    schema: { enforced_by: 'validator', repairs: 0 },
    attempts: [{ result: 'api_client_error', status: 400 }, { result: 'completed' }],
  })
  await desk.onEvent(event)
  const asked = simulator.calls.map(({ body }) => ['response_format' in body, JSON.stringify(body.messages)])
  expect(asked).toEqual([
    [true, expect.not.stringContaining('JSON Schema')],
    [false, expect.stringContaining('JSON Schema')],
    [false, expect.stringContaining('JSON Schema')],
  ])
})

test('a server that obeys the schema is certified', async () => {
  await using simulator = await startOpenAISimulator({
    tokensPerSecond: Number.POSITIVE_INFINITY,
    answer: () => RIGHT,
  })
  await using desk = createDispatcher({ backends: [createOpenAIBackend({ url: simulator.url })] })
  const outcome = await desk.onEvent({ content: 'Triage this.', schema })
  expect(outcome).toMatchObject({ data: DATA, schema: { enforced_by: 'backend', repairs: 0 } })
  expect(simulator.calls).toHaveLength(1)
})

test.each([
  ['nothing beside its type', { type: 'json_schema' }],
  ['a name alone', { type: 'json_schema', json_schema: { name: 'triage', strict: true } }],
  ['the schema without its wrapper', { type: 'json_schema', json_schema: schema }],
])('a `response_format` with %s is refused before anything is sent', async (_, response_format) => {
  await using desk = await openDesk({ answerJson: DATA })
  expect(await desk.dispatcher.onEvent({ content: 'Hi', parameters: { response_format } })).toMatchObject({
    error: 'invalid_input_format',
    details: expect.stringContaining('`response_format.json_schema.schema`'),
  })
  expect(desk.simulator.calls).toHaveLength(0)
})

test.each(['json_schema', 'json_object'])('a schema beside the type %s counts, too', async (type) => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn(RIGHT) })
  const response_format = { type, schema: told }
  expect(await desk.dispatcher.onEvent({ content: 'Hi', parameters: { response_format } })).toMatchObject({
    data: DATA,
  })
})

test('the schema of an OpenAI `response_format` is looked after like one of the event', async () => {
  await using desk = await openDesk({ version: '1.76', answer: inTurn('No.', RIGHT) })
  const response_format = { type: 'json_schema', json_schema: { name: 'triage', schema: told, strict: true } }
  const outcome = await desk.dispatcher.onEvent({ content: 'Triage this.', parameters: { response_format } })
  expect(outcome).toMatchObject({ data: DATA, schema: { repairs: 1 } })
  expect(desk.bodies()[0]).not.toHaveProperty('response_format')
})

test('a schema that is none is refused before anything is sent', async () => {
  await using desk = await openDesk({})
  const outcome = await desk.dispatcher.onEvent({ content: 'x', schema: { type: 'nonsense' } })
  expect(outcome).toMatchObject({ error: 'invalid_input_format', details: expect.stringContaining('/type') })
  expect(desk.simulator.calls).toHaveLength(0)
})
