import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'
import { AT_ONCE, clientOf, collect, HI } from './openai-clients.ts'

const schema = {
  type: 'object',
  properties: { city: { type: 'string' }, people: { type: 'integer' } },
  required: ['city', 'people'],
}
const DATA = { city: 'Ulm', people: 129_882 }
const RIGHT = JSON.stringify(DATA)

/** Answers in turn; the last one for ever. */
const inTurn = (...answers: string[]) => ({
  ...AT_ONCE,
  version: '1.76' as const,
  answer: () => (answers.length > 1 ? answers.shift() : answers[0]) ?? '',
})

const post = (url: string, event: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ content: 'Which city?', ...event }),
  })

test('POST /event with a schema answers with data and certificate', async () => {
  await using desk = await openDesk({ simulators: [inTurn('It is Ulm.', RIGHT)] })
  const response = await post(desk.url, { schema })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({
    data: DATA,
    schema: { enforced_by: 'repair', repairs: 1, errors: [{ path: '', rule: 'json' }] },
  })
})

test('an answer that never matches is 502 with the rules', async () => {
  await using desk = await openDesk({ simulators: [inTurn('{"city":"Ulm"}')] })
  const response = await post(desk.url, { schema })
  expect(response.status).toBe(502)
  expect(await response.json()).toMatchObject({
    error: 'output_schema_mismatch',
    partial: '{"city":"Ulm"}',
    schema: { repairs: 2, errors: [{ path: '/people', rule: 'required' }] },
  })
})

test('a schema that is none is 400 and costs the backend nothing', async () => {
  await using desk = await openDesk({ simulators: [inTurn(RIGHT)] })
  const response = await post(desk.url, { schema: { $ref: 'http://169.254.169.254/latest' } })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: 'invalid_input_format' })
  expect(desk.simulator.calls).toHaveLength(0)
})

test('a stream of events has `partial` frames, then the validated data', async () => {
  await using desk = await openDesk({ simulators: [{ ...inTurn(RIGHT), tokensPerSecond: 100 }] })
  const response = await post(desk.url, { schema }, { accept: 'text/event-stream' })
  const frames = (await response.text()).split('\n\n').filter((frame) => frame.startsWith('event: '))
  const names = frames.map((frame) => /^event: (\w+)/.exec(frame)?.[1])
  const bodies = frames.map((frame) => JSON.parse(frame.slice(frame.indexOf('data: ') + 6)))
  expect(new Set(names.slice(0, -1))).toEqual(new Set(['partial']))
  expect(bodies.at(-2)).toEqual({ data: DATA })
  expect(names.at(-1)).toBe('done')
  expect(bodies.at(-1)).toMatchObject({ data: DATA, schema: { enforced_by: 'backend' } })
})

const response_format = { type: 'json_schema' as const, json_schema: { name: 'city', schema, strict: true } }

test("an OpenAI client's response_format is repaired like a schema", async () => {
  await using desk = await openDesk({ simulators: [inTurn('Sure: {"city":"Ulm"}', `Sure: ${RIGHT}`)] })
  const { choices } = await clientOf(desk).chat.completions.create({ ...HI, response_format })
  expect(choices[0]?.message.content).toBe(RIGHT)
  expect(desk.simulator.calls).toHaveLength(2)
})

test('a stream in that dialect sends nothing but the checked JSON', async () => {
  await using desk = await openDesk({ simulators: [inTurn('Sure: {"city":"Ulm"}', `Sure: ${RIGHT}`)] })
  const stream = await clientOf(desk).chat.completions.create({ ...HI, response_format, stream: true })
  const chunks = await collect(stream)
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(RIGHT)
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
})

test('a stream that finds no such JSON has the status of its failure', async () => {
  await using desk = await openDesk({ simulators: [inTurn('No idea.')] })
  const client = clientOf(desk)
  const asking = client.chat.completions.create({ ...HI, response_format, stream: true }, { maxRetries: 0 })
  await expect(asking).rejects.toMatchObject({ status: 422, code: 'output_schema_mismatch' })
})

test('partials of a long answer cost its reader no more than some times the answer', async () => {
  const rows = Array.from({ length: 300 }, (_, index) => ({ city: `city number ${index}`, people: index }))
  const answer = JSON.stringify({ rows })
  await using desk = await openDesk({ simulators: [{ ...inTurn(answer), tokensPerSecond: 20_000 }] })
  const event = { schema: { type: 'object' }, parameters: { max_tokens: 7_000 } }
  const response = await post(desk.url, event, { accept: 'text/event-stream' })
  const text = await response.text()
  expect(text).toContain('event: partial')
  expect(text).toContain('event: done')
  expect(answer.length).toBeGreaterThan(11_000)
  expect(text.length).toBeLessThan(70 * answer.length)
})
