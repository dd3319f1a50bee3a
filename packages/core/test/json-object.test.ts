import { createKoboldBackend, createOpenAIBackend } from '@ai-ticket/core'
import { startKoboldSimulator, startOpenAISimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { deskOn } from './desk-on.ts'

const AT_ONCE = { tokensPerSecond: Number.POSITIVE_INFINITY }
const eventWith = (response_format: object) => ({ content: 'A city?', parameters: { response_format } })
const JSON_OBJECT = eventWith({ type: 'json_object' })
const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

/** A server that answers what the test says, one answer after the other; the last again and again. */
async function open(answers: readonly string[], refusedFields: readonly string[] = []) {
  let asked = 0
  const answer = () => answers[Math.min(asked++, answers.length - 1)] ?? ''
  const simulator = await startOpenAISimulator({ ...AT_ONCE, answer, refusedFields })
  return deskOn(simulator, createOpenAIBackend({ url: simulator.url }))
}

test.each([
  ['between prose', 'Sure! Here it is: {"city": "Ulm"} Have a nice day.'],
  ['in a fence', '```json\n{"city": "Ulm"}\n```'],
])('an object %s is the object', async (_where, text) => {
  await using desk = await open([text])
  const outcome = await desk.dispatcher.onEvent(JSON_OBJECT)
  expect(outcome).toMatchObject({ data: { city: 'Ulm' } })
  expect(JSON.parse(outcome.error === undefined ? outcome.completion : '')).toEqual({ city: 'Ulm' })
  expect(desk.simulator.calls[0]?.body).toMatchObject({ response_format: { type: 'json_object' } })
})

test.each(['Just prose.', '["Ulm"]', '"Ulm"', '7'])(
  '%s is no object: the model is asked again',
  async (text) => {
    await using desk = await open([text, '{"city": "Ulm"}'])
    expect(await desk.dispatcher.onEvent(JSON_OBJECT)).toMatchObject({
      completion: '{"city": "Ulm"}',
      schema: { enforced_by: 'repair' },
    })
    await using never = await open([text])
    expect(await never.dispatcher.onEvent(JSON_OBJECT)).toMatchObject({ error: 'output_schema_mismatch' })
  },
)

test('a server that refuses the format is told of it in words instead', async () => {
  await using desk = await open(['{"city": "Ulm"}'], ['response_format'])
  expect(await desk.dispatcher.onEvent(JSON_OBJECT)).toMatchObject({ data: { city: 'Ulm' } })
  const last = desk.simulator.calls.at(-1)?.body
  expect(last).not.toHaveProperty('response_format')
  expect(JSON.stringify(last)).toContain('Answer with JSON only')
})

test("llama.cpp's form with a schema is that schema", async () => {
  const event = eventWith({ type: 'json_object', schema: CITY })
  await using desk = await open(['{"town": "Ulm"}', '{"city": "Ulm"}'])
  expect(await desk.dispatcher.onEvent(event)).toMatchObject({ data: { city: 'Ulm' } })
  expect(desk.simulator.calls[0]?.body).toMatchObject({
    response_format: { type: 'json_schema', json_schema: { schema: CITY } },
  })
  await using wrong = await open(['{"town": "Ulm"}'])
  expect(await wrong.dispatcher.onEvent(event)).toMatchObject({ error: 'output_schema_mismatch' })
})

test('with an empty schema it is still an object', async () => {
  await using desk = await open(['["Ulm"]', '{"city": "Ulm"}'])
  const outcome = await desk.dispatcher.onEvent(eventWith({ type: 'json_object', schema: {} }))
  expect(outcome).toMatchObject({ data: { city: 'Ulm' } })
})

test('an endpoint for texts answers it as well, and is checked', async () => {
  await using desk = await open(['{"city": "Ulm"}'])
  desk.simulator.script([{ status: 404 }], '/v1/chat/completions')
  expect(await desk.dispatcher.onEvent(JSON_OBJECT)).toMatchObject({
    endpoint: 'text',
    data: { city: 'Ulm' },
  })
})

test.each(['1.76', '1.115.1'] as const)('KoboldCPP %s gets the grammar that it obeys', async (version) => {
  const simulator = await startKoboldSimulator({ ...AT_ONCE, version, answer: () => '{"city": "Ulm"}' })
  await using desk = deskOn(simulator, createKoboldBackend({ url: simulator.url }))
  expect(await desk.dispatcher.onEvent(JSON_OBJECT)).toMatchObject({
    data: { city: 'Ulm' },
    schema: { enforced_by: 'backend' },
  })
  const [call] = desk.simulator.calls
  expect(call?.body).toMatchObject({ grammar: expect.stringMatching(/^root ::= object\n/) })
  expect(call?.body).not.toHaveProperty('response_format')
})
