import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, openSocket, parseRaw, postEvent, readAll, readUntil, sendRaw } from './open-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })
const HOST = 'host: localhost\r\n'

test.each([
  ['no HTTP at all', 'hello\r\n\r\n', 400, 'invalid_request'],
  ['an unknown method', `BREW /event HTTP/1.1\r\n${HOST}\r\n`, 400, 'invalid_request'],
  ['a bad version', `GET /event HTTP/9.9\r\n${HOST}\r\n`, 400, 'invalid_request'],
  [
    'a bad Content-Length',
    `POST /event HTTP/1.1\r\n${HOST}content-length: x\r\n\r\n`,
    400,
    'invalid_request',
  ],
  [
    'Content-Length beside chunks',
    `POST /event HTTP/1.1\r\n${HOST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'invalid_request',
  ],
  [
    'a broken chunk',
    `POST /event HTTP/1.1\r\n${HOST}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'invalid_request',
  ],
  [
    'headers of 20 KB',
    `GET /livez HTTP/1.1\r\n${HOST}x: ${'y'.repeat(20_000)}\r\n\r\n`,
    431,
    'header_too_large',
  ],
  [
    'headers of 2 MB',
    `GET /livez HTTP/1.1\r\n${HOST}x: ${'y'.repeat(2_000_000)}\r\n\r\n`,
    431,
    'header_too_large',
  ],
  [
    'an address of 9 KB',
    `GET /livez?${'x'.repeat(9_000)} HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`,
    431,
    'header_too_large',
  ],
  [
    'two Hosts, the first of them good',
    `GET /backends HTTP/1.1\r\n${HOST}HOST: evil.example\r\nconnection: close\r\n\r\n`,
    400,
    'invalid_request',
  ],
  [
    'two Hosts, the same',
    `GET /livez HTTP/1.1\r\n${HOST}${HOST}connection: close\r\n\r\n`,
    400,
    'invalid_request',
  ],
  ['no Host', 'GET /event HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'invalid_request'],
  [
    'a foreign host in the address, which goes before the header',
    `GET http://evil.example/backends HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`,
    403,
    'forbidden',
  ],
  [
    'a foreign host in the address, and an expectation',
    `GET http://evil.example/backends HTTP/1.1\r\n${HOST}expect: wonders\r\nconnection: close\r\n\r\n`,
    403,
    'forbidden',
  ],
  [
    'an unknown expectation',
    `GET /nowhere HTTP/1.1\r\n${HOST}expect: wonders\r\nconnection: close\r\n\r\n`,
    404,
    'not_found',
  ],
  ['a tunnel', `CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, 400, 'invalid_request'],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`, 404, 'not_found'],
  [
    'a method nobody serves',
    `PROPFIND /event HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`,
    405,
    'method_not_allowed',
  ],
])('%s', async (_what, bytes, status, code) => {
  await using desk = await openServer({ dispatcher })
  const answer = parseRaw(await sendRaw(desk.port, bytes))
  expect(answer.status).toBe(status)
  expect(answer.body).toEqual({ error: code, details: expect.any(String) })
  expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
})

test('a proxy that asks with the whole address is answered as anybody', async () => {
  await using desk = await openServer({ dispatcher })
  const ask = (address: string) => sendRaw(desk.port, `GET ${address} HTTP/1.1\r\nconnection: close\r\n\r\n`)
  expect(await ask('http://balancer.example/livez')).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  const unknown = await ask('http://127.0.0.1/v1/nowhere')
  expect(unknown).toMatch(/^HTTP\/1.1 404 Not Found\r\n/)
  // In OpenAI's shape, as under `/v1` always.
  expect(unknown).toContain('"type":"invalid_request_error"')
})

test.each([
  ['headers', 'POST /event HTTP/1.1\r\nhost: loc'],
  ['body', postEvent({ content: 'Hi' }).slice(0, -3)],
])('a client that is too slow with its %s hears request_timeout', async (_what, bytes) => {
  await using desk = await openServer({ dispatcher, requestTimeoutMs: 200 })
  const answer = parseRaw(await sendRaw(desk.port, bytes))
  expect(answer).toMatchObject({ status: 408, body: { error: 'request_timeout' } })
})

test('a body that is too large is answered, though the client is still sending', async () => {
  await using desk = await openServer({ dispatcher, bodyLimitBytes: 1_000 })
  const response = await fetch(`${desk.url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'x'.repeat(20_000_000) }),
  })
  expect(response.status).toBe(413)
  expect(await response.json()).toEqual({ error: 'payload_too_large', details: expect.any(String) })
})

test('after a body that was too large, the rest of it is skipped and the connection goes on', async () => {
  await using desk = await openServer({ dispatcher, bodyLimitBytes: 1_000 })
  const socket = await openSocket(desk.port)
  const refused = readUntil(socket, 'payload_too_large')
  const [head, body = ''] = postEvent({ content: 'x'.repeat(5_000_000) }).split('\r\n\r\n')
  socket.write(`${head}\r\n\r\n`)
  await refused
  const answer = readUntil(socket, '200 OK')
  socket.write(body)
  socket.write(postEvent({ content: 'Hi' }))
  await answer
  socket.destroy()
})

test('a body of unknown length that is too large is answered too', async () => {
  await using desk = await openServer({ dispatcher, bodyLimitBytes: 1_000 })
  const chunk = new TextEncoder().encode('x'.repeat(100_000))
  const body = new ReadableStream({
    start(controller) {
      for (let count = 0; count < 50; count += 1) controller.enqueue(chunk)
      controller.close()
    },
  })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${desk.url}/event`, { method: 'POST', headers, body, duplex: 'half' })
  expect(response.status).toBe(413)
})

test('garbage after the head of a stream does not get into it', async () => {
  const streamEvent = async function* () {
    yield { type: 'admitted', id: 'evt_1' } as const
    await new Promise(() => {})
  }
  await using desk = await openServer({ dispatcher: fakeDispatcher({ streamEvent }) })
  const socket = await openSocket(desk.port)
  const head = readUntil(socket, '\r\n\r\n')
  socket.write(postEvent({ content: 'Hi' }, { accept: 'text/event-stream' }))
  await head
  const rest = readAll(socket).catch(() => '')
  socket.write('garbage\r\n\r\n')
  expect(await rest).toBe('')
})

test('Expect: 100-continue is honoured', async () => {
  await using desk = await openServer({ dispatcher })
  const socket = await openSocket(desk.port)
  const bytes = postEvent({ content: 'Hi' }, { expect: '100-continue', connection: 'close' })
  const [head = '', body = ''] = bytes.split('\r\n\r\n')
  const goOn = readUntil(socket, '100 Continue')
  socket.write(`${head}\r\n\r\n`)
  await goOn
  const answer = readAll(socket)
  socket.write(body)
  expect(await answer).toContain('200 OK')
})

test('of requests that come before their answers are read, a few are worked on at a time, and all are answered', async () => {
  let running = 0
  let most = 0
  const slow = fakeDispatcher({
    onEvent: async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      return SUCCESS
    },
  })
  await using desk = await openServer({ dispatcher: slow })
  const requests =
    postEvent({ content: 'Hi' }).repeat(199) + postEvent({ content: 'Hi' }, { connection: 'close' })
  const answers = await sendRaw(desk.port, requests)
  expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(200)
  expect(most).toBeLessThanOrEqual(9)
})

test('a connection with thousands of requests before the first answer is read is closed', async () => {
  const silent = fakeDispatcher({ onEvent: () => new Promise(() => {}) })
  await using desk = await openServer({ dispatcher: silent })
  const socket = await openSocket(desk.port)
  const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
  socket.resume().write(postEvent({ content: 'Hi' }).repeat(2_000))
  await closed
  expect((await fetch(`${desk.url}/livez`)).status).toBe(200)
})

test.runIf(process.platform === 'linux')(
  'an address with thousands of connections keeps no other one out, and its own answers go on',
  async () => {
    await using desk = await openServer({ dispatcher, maxConnections: 4 })
    const from = async (localAddress: string) => {
      const socket = connect({ port: desk.port, host: '127.0.0.1', localAddress })
      await once(socket, 'connect')
      return socket.on('error', () => {}).resume()
    }
    const busy = await from('127.0.0.2')
    const idle = [await from('127.0.0.2'), await from('127.0.0.2'), await from('127.0.0.2')]
    const [head = '', body = ''] = postEvent({ content: 'Hi' }, { expect: '100-continue' }).split('\r\n\r\n')
    const begun = readUntil(busy, '100 Continue')
    busy.write(`${head}\r\n\r\n`)
    await begun
    const others = [await from('127.0.0.3'), await from('127.0.0.4')]
    for (const other of others) {
      const answer = readUntil(other, '200 OK')
      other.write(postEvent({ content: 'Hi' }))
      await answer
    }
    const answer = readUntil(busy, '200 OK')
    busy.write(body)
    await answer
    const [first, second, third] = idle
    for (const socket of [first, second]) if (socket && !socket.closed) await once(socket, 'close')
    expect(third?.destroyed).toBe(false)
    for (const socket of [busy, ...idle, ...others]) socket.destroy()
  },
)

test('more connections than wanted are closed, and those that are open go on', async () => {
  await using desk = await openServer({ dispatcher, maxConnections: 1 })
  const first = await openSocket(desk.port)
  expect(await sendRaw(desk.port, postEvent({ content: 'Hi' })).catch(() => '')).toBe('')
  const answer = readAll(first)
  first.write(postEvent({ content: 'Hi' }, { connection: 'close' }))
  expect(await answer).toContain('200 OK')
  expect(await sendRaw(desk.port, postEvent({ content: 'Hi' }, { connection: 'close' }))).toContain('200 OK')
})
