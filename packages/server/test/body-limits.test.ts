import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer } from './open-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })

const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]))
const values = (count: number) => Array.from({ length: count }, () => 1)

const cloudEvent = (data: unknown) => ({
  ...{ specversion: '1.0', id: '1', source: '/test', type: 'test', datacontenttype: 'application/json' },
  data,
})
const BINARY = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/test', 'ce-type': 'test' }

const TOO_MANY_KEYS = 'The body holds more than 10,000 keys.'
const TOO_MANY_VALUES = 'The body holds more than 100,000 values.'

test.each<[string, string, Record<string, string>, unknown, string]>([
  ['a million metadata', '/event', {}, { content: 'x', metadata: keys(1_000_000) }, TOO_MANY_KEYS],
  ['biases', '/event', {}, { content: 'x', parameters: { logit_bias: keys(10_000) } }, TOO_MANY_KEYS],
  ['keys of the content', '/event', {}, { content: keys(10_000) }, TOO_MANY_KEYS],
  ['a list', '/event', {}, { content: values(100_000) }, TOO_MANY_VALUES],
  ['an unknown field', '/event', {}, { content: 'x', more: values(1_000_000) }, TOO_MANY_VALUES],
  [
    'a structured CloudEvent',
    '/event',
    { 'content-type': 'application/cloudevents+json' },
    cloudEvent({ content: 'x', metadata: keys(10_000) }),
    TOO_MANY_KEYS,
  ],
  ['a binary CloudEvent', '/event', BINARY, { content: values(100_000) }, TOO_MANY_VALUES],
  [
    'a chat',
    '/v1/chat/completions',
    {},
    { model: 'm', messages: [{ role: 'user', content: 'x' }], logit_bias: keys(10_000) },
    TOO_MANY_KEYS,
  ],
  ['a text', '/v1/completions', {}, { model: 'm', prompt: values(100_000) }, TOO_MANY_VALUES],
])(
  'refuses a body with too much in it, and names the limit: %s',
  async (_name, path, headers, body, said) => {
    await using server = await openServer({ dispatcher })
    const reply = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    expect(reply.status).toBe(413)
    expect(await reply.text()).toContain(said)
    expect(dispatcher.calls).toEqual([])
  },
)

test('a body of too many bytes is refused with their number', async () => {
  await using server = await openServer({ dispatcher, bodyLimitBytes: 100_000 })
  const reply = await fetch(`${server.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'x'.repeat(100_000) }),
  })
  expect(reply.status).toBe(413)
  expect(await reply.text()).toContain('larger than 100,000 bytes')
})

test('large fields that nobody reads are not held while an event waits', async () => {
  const held: unknown[] = []
  const desk = fakeDispatcher({
    onEvent: async (event) => {
      held.push(event)
      return SUCCESS
    },
  })
  await using server = await openServer({ dispatcher: desk })
  const event = { content: 'x', priority: 1, junk: 'y'.repeat(1_000), callback: { of: 'somebody' } }
  const types = [
    ['application/json', event],
    ['application/cloudevents+json', cloudEvent(event)],
  ] as const
  for (const [type, body] of types) {
    const headers = { 'content-type': type }
    const reply = await fetch(`${server.url}/event`, { method: 'POST', headers, body: JSON.stringify(body) })
    expect(reply.status).toBe(200)
  }
  expect(held[0]).toEqual({ content: 'x', priority: 1, junk: null, callback: null })
  expect(held[1]).toMatchObject({ content: 'x', priority: 1, id: '1' })
  expect(JSON.stringify(held)).not.toContain('yyy')
  expect(JSON.stringify(held)).not.toContain('somebody')
})
