import { Agent, request as httpRequest } from 'node:http'
import { json } from 'node:stream/consumers'
import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { openServer, openSocket, postEvent, readUntil } from './open-server.ts'

const ASK_FOR_STREAM = { accept: 'text/event-stream' }

/** Server, dispatcher and simulator, as a person would put them together. */
async function openDesk(simulatorOptions: KoboldSimulatorOptions, more: Partial<DispatcherOptions> = {}) {
  const simulator = await startKoboldSimulator(simulatorOptions)
  const backend = createKoboldBackend({ url: simulator.url })
  const dispatcher = createDispatcher({ backends: [{ backend, concurrency: 1 }], ...more })
  const desk = await openServer({ dispatcher })
  return {
    ...desk,
    simulator,
    dispatcher,
    async [Symbol.asyncDispose]() {
      await desk[Symbol.asyncDispose]()
      await dispatcher.close()
      await simulator.close()
    },
  }
}

const post = (url: string, event: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(event),
  })

test('an event over HTTP has the outcome that it has in process', async () => {
  await using desk = await openDesk({ tokensPerSecond: Number.POSITIVE_INFINITY, answer: () => 'Four.' })
  const event = { content: 'What is two and two?', id: 'mine' }
  const response = await post(desk.url, event)
  const overHttp = (await response.json()) as object
  const inProcess = await desk.dispatcher.onEvent(event)
  expect(response.status).toBe(200)
  expect(overHttp).toMatchObject({ completion: 'Four.', id: 'mine', backend: 'kobold' })
  expect(Object.keys(overHttp)).toEqual(Object.keys(inProcess))
})

test.each([
  ['plain', {}, { 'content-type': 'application/json' }],
  ['streamed', {}, { 'content-type': 'application/json', ...ASK_FOR_STREAM }],
  [
    'as a CloudEvent',
    { specversion: '1.0', id: 'ce-1', source: '/mail', type: 'mail' },
    { 'content-type': 'application/cloudevents+json' },
  ],
])('%s, the outcome names a field that looks like a known one', async (_how, envelope, headers) => {
  await using desk = await openDesk({ tokensPerSecond: Number.POSITIVE_INFINITY })
  const event = { content: 'Hi', maxTokens: 5 }
  const body = 'id' in envelope ? { ...envelope, data: event } : event
  const reply = await (await post(desk.url, body, headers)).text()
  expect(reply).toContain('"warnings":[{"field":"maxTokens","details":"')
})

test.each([
  [{}, 400, 'missing_content_field'],
  [{ content: 7 }, 400, 'invalid_input_format'],
  [[], 400, 'invalid_input_format'],
  [{ content: '  ' }, 422, 'prompt_extraction_failed'],
  [{ content: 'Hi', backend: 'nowhere' }, 404, 'not_found'],
])('%j is %i %s, as JSON even where a stream was wanted', async (event, status, code) => {
  await using desk = await openDesk({})
  for (const headers of [{}, ASK_FOR_STREAM]) {
    const response = await post(desk.url, event, headers)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await response.json()).toMatchObject({ error: code, details: expect.any(String) })
  }
})

test('a stream has the same text as its outcome', async () => {
  await using desk = await openDesk({
    // A second and a half in all: a busy machine joins tokens that come close together.
    tokensPerSecond: 8,
    answer: () => 'One two three four five six seven eight nine ten.',
  })
  const response = await post(desk.url, { content: 'Count.' }, ASK_FOR_STREAM)
  const frames = (await response.text()).split('\n\n').filter((frame) => frame.startsWith('event: '))
  const read = (frame = '') => JSON.parse(frame.split('data: ')[1] ?? '')
  const deltas = frames.slice(0, -1).map((frame) => read(frame).text)
  expect(deltas.length).toBeGreaterThan(1)
  expect(frames.at(-1)).toMatch(/^event: done\n/)
  expect(read(frames.at(-1)).completion).toBe(deltas.join('').trim())
})

test.each([
  ['a plain answer', {}],
  ['a stream', ASK_FOR_STREAM],
])('hanging up on %s stops the backend by its key, long before its end', async (_what, headers) => {
  await using desk = await openDesk({ tokensPerSecond: 20, answer: () => 'word '.repeat(400) })
  const socket = await openSocket(desk.port)
  socket.write(postEvent({ content: 'Go on.', parameters: { max_tokens: 400 } }, headers))
  await desk.simulator.waitFor(({ calls }) => (calls[0]?.tokensGenerated ?? 0) > 1)
  socket.destroy()
  await desk.simulator.waitFor(({ generating }) => !generating)
  expect(desk.simulator.aborts[0]?.genkey).toBe(desk.simulator.calls[0]?.genkey)
  expect(desk.simulator.calls[0]?.state).toBe('aborted')
})

test('closing: what is in hand is answered, what outlives the drain is shutting_down, streams end too', async () => {
  await using desk = await openDesk({ tokensPerSecond: 20, answer: () => 'word '.repeat(400) })
  const agent = new Agent({ keepAlive: true })
  const plain = new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    httpRequest(`${desk.url}/event`, { method: 'POST', agent, headers }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await json(response) })
    })
      .on('error', reject)
      .end(JSON.stringify({ content: 'Go on.', parameters: { max_tokens: 400 } }))
  })
  await desk.simulator.waitForCall(1)
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent({ content: 'Wait.' }, ASK_FOR_STREAM))
  await head
  const end = readUntil(socket, 'event: error')
  const closed = Promise.all([desk.dispatcher.close({ drainMs: 100 }), desk.server.close()])
  expect(await plain).toMatchObject({ status: 503, body: { error: 'shutting_down' } })
  expect(await end).toContain('"error":"shutting_down"')
  await closed
  expect(desk.simulator.generating).toBe(false)
  agent.destroy()
})
