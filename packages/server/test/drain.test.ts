import { Agent, request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { StreamEvent } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, openSocket, parseRaw, postEvent, readAll, readUntil } from './open-server.ts'

const EVENT = { content: 'Hi' }

/** Every event waits until the test lets all of them go. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<typeof SUCCESS>()
  return { dispatcher: fakeDispatcher({ onEvent: () => promise }), open: () => resolve(SUCCESS) }
}

function post(url: string, agent: Agent): Promise<{ status: number; connection: string | undefined }> {
  const headers = { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    httpRequest(`${url}/event`, { method: 'POST', agent, headers }, async (response) => {
      await text(response)
      resolve({ status: response.statusCode ?? 0, connection: response.headers.connection })
    })
      .on('error', reject)
      .end(JSON.stringify(EVENT))
  })
}

test('50 events in flight over keep-alive: all are answered, then close ends at once', async () => {
  const { dispatcher, open } = gate()
  await using desk = await openServer({ dispatcher })
  const agent = new Agent({ keepAlive: true, maxSockets: 50 })
  const answers = Array.from({ length: 50 }, () => post(desk.url, agent))
  await expect.poll(() => dispatcher.calls.length).toBe(50)
  const closed = desk.server.close()
  await expect.poll(() => desk.server.server.listening).toBe(false)
  open()
  const all = await Promise.all(answers)
  // Not when the connections have been idle for 72 s, which is longer than this test may take.
  await closed
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(all.map(({ connection }) => connection))).toEqual(new Set(['close']))
  agent.destroy()
})

test('close does not wait for clients that keep an idle connection', async () => {
  const { dispatcher, open } = gate()
  open()
  const agent = new Agent({ keepAlive: true })
  const desk = await openServer({ dispatcher })
  await post(desk.url, agent)
  // It would wait for 72 s, which is longer than this test may take.
  await desk.server.close()
  agent.destroy()
})

test('while closing, a new event on an open connection hears shutting_down, and so does /readyz', async () => {
  const { dispatcher, open } = gate()
  await using desk = await openServer({ dispatcher })
  const accepted: Socket[] = []
  desk.server.server.on('connection', (socket) => accepted.push(socket))
  const busy = await openSocket(desk.port)
  busy.write(postEvent(EVENT))
  // Half a request: the server sees no idle connection and lets it finish.
  const late = await openSocket(desk.port)
  const bytes = postEvent(EVENT)
  late.write(bytes.slice(0, 20))
  const lateProbe = await openSocket(desk.port)
  lateProbe.write('GET /ready')
  await expect.poll(() => dispatcher.calls.length).toBe(1)
  // Node 26 takes a connection for idle until its first byte is read.
  await expect.poll(() => accepted.filter(({ bytesRead }) => bytesRead > 0).length).toBe(3)
  const closed = desk.server.close()
  const answer = readAll(late)
  const probed = readAll(lateProbe)
  late.write(bytes.slice(20))
  lateProbe.write('z HTTP/1.1\r\nhost: localhost\r\n\r\n')
  const { status, headers, body } = parseRaw(await answer)
  expect({ status, body }).toEqual({
    status: 503,
    body: { error: 'shutting_down', details: expect.any(String) },
  })
  expect(headers.get('retry-after')).toBe('5')
  expect(headers.get('connection')).toBe('close')
  expect(parseRaw(await probed)).toMatchObject({ status: 503, body: { error: 'shutting_down' } })
  open()
  await closed
})

test('after drain() the port is open: probes see 503, new events are refused, accepted ones are answered', async () => {
  const { dispatcher, open } = gate()
  await using desk = await openServer({ dispatcher })
  const accepted = postOnce(desk.url)
  await expect.poll(() => dispatcher.calls.length).toBe(1)
  desk.server.drain()
  const probe = await fetch(`${desk.url}/readyz`)
  expect(probe.status).toBe(503)
  expect(await probe.json()).toMatchObject({ error: 'shutting_down' })
  expect((await fetch(`${desk.url}/livez`)).status).toBe(200)
  const refused = await postOnce(desk.url)
  expect(await refused.json()).toMatchObject({ error: 'shutting_down' })
  expect(refused.headers.get('connection')).toBe('close')
  expect(dispatcher.calls).toHaveLength(1)
  open()
  expect((await accepted).status).toBe(200)
  await desk.server.close()
  await expect(fetch(`${desk.url}/readyz`)).rejects.toThrow()
})

const postOnce = (url: string) =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(EVENT),
  })

test('a body that comes in while closing does not reach the dispatcher, which may be closed', async () => {
  const { dispatcher, open } = gate()
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  const bytes = postEvent(EVENT)
  const begun = new Promise((resolve) => desk.server.server.once('request', resolve))
  socket.write(bytes.slice(0, -3))
  await begun
  const closed = desk.server.close()
  await expect.poll(() => desk.server.server.listening).toBe(false)
  const answer = readAll(socket)
  socket.write(bytes.slice(-3))
  expect(parseRaw(await answer)).toMatchObject({ status: 503, body: { error: 'shutting_down' } })
  expect(dispatcher.calls).toEqual([])
  open()
  await closed
})

test('a stream in hand goes on to its end; its connection, promised to be kept alive, is closed then', async () => {
  const goOn = Promise.withResolvers<void>()
  const streamEvent = async function* (): AsyncGenerator<StreamEvent> {
    yield { type: 'admitted', id: 'evt_1' }
    await goOn.promise
    yield { type: 'done', outcome: SUCCESS }
  }
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent(EVENT, { accept: 'text/event-stream' }))
  await head
  const closed = desk.server.close()
  await expect.poll(() => desk.server.server.listening).toBe(false)
  const rest = readAll(socket)
  goOn.resolve()
  expect(await rest).toContain('event: done')
  await closed
})

test.each([
  ['headers', 30],
  ['body', -3],
])('a client that never sends the rest of its %s does not hold close for ever', async (_what, end) => {
  const { dispatcher, open } = gate()
  await using desk = await openServer({ dispatcher, requestTimeoutMs: 300 })
  const busy = await openSocket(desk.port)
  busy.write(postEvent(EVENT))
  await expect.poll(() => dispatcher.calls.length).toBe(1)
  const stuck = await openSocket(desk.port)
  stuck.write(postEvent(EVENT).slice(0, end))
  const closed = desk.server.close()
  await readAll(stuck).catch(() => '')
  const answer = readAll(busy)
  open()
  expect(await answer).toContain('200 OK')
  await closed
})
