import type { ApiKey } from '@ai-ticket/http-server'
import { fastifyPlugin } from 'fastify-plugin'
import { expect, test } from 'vitest'
import { COLUMNS, type FailureColumn } from './failure-columns.ts'
import { openDoor } from './open-door.ts'
import { openResponsesServer } from './open-responses-server.ts'

const KEYS: readonly ApiKey[] = [
  { key: 'day-key', name: 'day', scopes: ['events'] },
  { key: 'night-key', name: 'night', scopes: ['events'], priority: -20, maxPriority: 5 },
]

const PRIORITIES = { event: 10, openai: 11, responses: 12, anthropic: 13, kobold: 14, tickets: 15 }

const DOORS = Object.entries(COLUMNS).map(
  ([name, column]) => [name === 'own' ? 'event' : name, column] as [keyof typeof PRIORITIES, FailureColumn],
)

const noDoor = fastifyPlugin((_instance, _options, done) => done())

const headersOf = (key: string, priority?: string) => ({
  'content-type': 'application/json',
  authorization: `Bearer ${key}`,
  ...(priority !== undefined && { 'x-priority': priority }),
})

test.each(DOORS)(
  '%s: of the request, else of the key, else of the door, and no higher than the key may',
  async (name, column) => {
    await using desk = await openDoor(column.door ?? noDoor, {
      simulator: { tokensPerSecond: 1 },
      server: { apiKeys: KEYS, priorities: PRIORITIES },
    })
    const leaving = new AbortController()
    const ask = (stream: boolean, ...who: Parameters<typeof headersOf>) =>
      fetch(desk.url + ((stream && column.streamPath) || column.path), {
        method: 'POST',
        headers: { ...headersOf(...who), ...(stream && column.streamHeaders) },
        body: JSON.stringify(column.body('Hello', stream)),
        signal: leaving.signal,
      }).catch(() => 'left')
    const first = ask(false, 'day-key')
    await desk.simulator.waitForCall()
    const asked = [false, true].flatMap((stream) => [
      ask(stream, 'day-key'),
      ask(stream, 'day-key', '-30'),
      ask(stream, 'night-key'),
      ask(stream, 'night-key', '50'),
    ])
    const inLine = () =>
      desk.dispatcher
        .line()
        .waiting.map(({ caller, priority }) => `${caller} ${priority}`)
        .toSorted()
    const each = [`day ${PRIORITIES[name]}`, 'day -30', 'night -20', 'night 5']
    await expect.poll(inLine).toEqual([...each, ...each].toSorted())
    leaving.abort()
    await Promise.all([first, ...asked])
  },
)

test.each(DOORS)('%s: a header that is no priority is refused', async (_name, column) => {
  await using desk = await openDoor(column.door ?? noDoor)
  for (const priority of ['high', '101', '1.5', '1e1', '5, 5']) {
    const reply = await fetch(desk.url + column.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-priority': priority },
      body: JSON.stringify(column.body('Hello', false)),
    })
    const { status } = reply
    expect([priority, status]).toEqual([priority, column.statuses.invalid_request ?? 400])
    const text = await reply.text()
    expect(JSON.parse(text)).toMatchObject(column.failure('invalid_request', status))
    expect(text).toContain('X-Priority must be a whole number from -100 to 100')
  }
  expect(desk.simulator.calls).toHaveLength(0)
})

test('the priority of an event itself goes before the header, and the key bounds it, too', async () => {
  await using desk = await openDoor(noDoor, {
    simulator: { tokensPerSecond: 1 },
    server: { apiKeys: KEYS, priorities: PRIORITIES },
  })
  const leaving = new AbortController()
  const ask = (key: string, event: string, header?: string) =>
    fetch(`${desk.url}/event`, {
      method: 'POST',
      headers: headersOf(key, header),
      body: event,
      signal: leaving.signal,
    }).catch(() => 'left')
  const asked = [ask('day-key', '{"content":"Hi"}')]
  await desk.simulator.waitForCall()
  asked.push(
    ask('day-key', '{"content":"Hi","priority":1}', '2'),
    ask('day-key', '{"content":"Hi","priority":null}', '2'),
    ask('night-key', '{"content":"Hi","priority":3}'),
    // With more digits than a number of JavaScript has, it is rounded to 100.
    ask('night-key', '{"content":"Hi","priority":99.99999999999999999999}'),
  )
  const inLine = () =>
    desk.dispatcher
      .line()
      .waiting.map(({ priority }) => priority)
      .toSorted()
  await expect.poll(inLine).toEqual([1, 2, 3, 5])
  leaving.abort()
  await Promise.all(asked)
  const wrong = await fetch(`${desk.url}/event`, {
    method: 'POST',
    headers: headersOf('night-key'),
    body: '{"content":"Hi","priority":101}',
  })
  expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: 'invalid_input_format' }])
})

test('a ticket keeps the priority of its request, its key or its door', async () => {
  await using at = await openResponsesServer({
    simulated: { tokensPerSecond: 1 },
    server: { apiKeys: KEYS, priorities: PRIORITIES },
  })
  const post = async (path: string, body: object, headers: object) => {
    const reply = await fetch(at.origin + path, {
      method: 'POST',
      headers: { ...headersOf('day-key'), ...headers },
      body: JSON.stringify(body),
    })
    const { id } = (await reply.json()) as { id: string }
    const ticket = await at.store.get(id.replace('resp_', 'tkt_'))
    return [ticket?.priority, ticket?.event?.priority]
  }
  const later = { prefer: 'respond-async' }
  const night = { authorization: 'Bearer night-key' }
  const own = { content: 'Hi', priority: 40 }
  expect({
    tickets: await post('/tickets', { content: 'Hi' }, {}),
    event: await post('/event', { content: 'Hi' }, later),
    background: await post('/v1/responses', { input: 'Hi', background: true }, {}),
    header: await post('/v1/responses', { input: 'Hi', background: true }, { 'x-priority': '-7' }),
    key: await post('/tickets', { content: 'Hi' }, night),
    own: await post('/tickets', own, { 'x-priority': '1' }),
    bounded: await post('/tickets', own, night),
  }).toEqual({
    tickets: [15, 15],
    event: [10, 10],
    background: [12, 12],
    header: [-7, -7],
    key: [-20, -20],
    own: [40, 40],
    bounded: [5, 5],
  })
})
