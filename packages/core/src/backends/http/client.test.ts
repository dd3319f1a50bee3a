import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { createClient } from './client.ts'
import { responseChunks } from './pool-response.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

async function serve(handler: Handler) {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    handler(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const echo: Handler = ({ method, url, headers }, response, body) =>
  response.end(JSON.stringify({ method, url, headers, body }))

const ignored = () => {}

test.each(['pool', 'fetch'] as const)('sends path, headers and body of a generation (%s)', async (way) => {
  await using server = await serve(echo)
  const client = createClient({
    baseUrl: `${server.url}/box`,
    apiKey: 'k',
    connectTimeoutMs: 1000,
    ...(way === 'fetch' && { fetch }),
  })
  const headers = { traceparent: '00-1-2-01' }
  const response = await client.generate({ path: '/v1/x', body: '"é"', headers, onSent: ignored })
  expect(response).toMatchObject({ ok: true, status: 200 })
  expect(await response.json()).toMatchObject({
    method: 'POST',
    url: '/box/v1/x',
    body: '"é"',
    headers: {
      authorization: 'Bearer k',
      'content-type': 'application/json',
      'content-length': '4',
      traceparent: '00-1-2-01',
    },
  })
  await client.close()
})

test.each(['pool', 'fetch'] as const)(
  'never follows a redirect and throws for no status (%s)',
  async (way) => {
    await using server = await serve((_, response) =>
      response.writeHead(307, { location: '/elsewhere' }).end(),
    )
    const client = createClient({
      baseUrl: server.url,
      connectTimeoutMs: 1000,
      ...(way === 'fetch' && { fetch }),
    })
    const response = await client.send({ method: 'GET', path: '/' })
    expect(response).toMatchObject({ ok: false, status: 307 })
    expect(response.headers.get('location')).toBe('/elsewhere')
    await response.text()
    await client.close()
  },
)

test('a call of its own cannot replace the key', async () => {
  await using server = await serve(echo)
  const client = createClient({ baseUrl: server.url, apiKey: 'ours', connectTimeoutMs: 1000 })
  const headers = { authorization: 'Bearer theirs' }
  const response = await client.generate({ path: '/', body: '', headers, onSent: ignored })
  expect(await response.json()).toMatchObject({ headers: { authorization: 'Bearer ours' } })
  await client.close()
})

test('tells when the request is about to be written, and not before there is a connection', async () => {
  await using server = await serve(echo)
  const sent: string[] = []
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const call = { path: '/', body: '{}' }
  await client.generate({ ...call, onSent: () => sent.push('open port') }).then((r) => r.text())
  const away = createClient({ baseUrl: 'http://127.0.0.1:9', connectTimeoutMs: 1000 })
  const refused = away.generate({ ...call, onSent: () => sent.push('closed port') })
  await expect(refused).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(sent).toEqual(['open port'])
  await client.close()
  await away.close()
})

test('an abort ends a call that waits for its head, and one that reads its body', async () => {
  await using server = await serve(({ url }, response) => {
    if (url === '/body') response.write('half')
  })
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const reason = new Error('enough')
  const first = new AbortController()
  const head = client.send({ method: 'GET', path: '/head', signal: first.signal })
  await expect.poll(server.connections).toBe(1)
  first.abort(reason)
  await expect(head).rejects.toBe(reason)
  const second = new AbortController()
  const response = await client.send({ method: 'GET', path: '/body', signal: second.signal })
  const text = response.text()
  second.abort(reason)
  await expect(text).rejects.toBe(reason)
  await expect.poll(server.connections).toBe(0)
  await client.close()
})

test('a body can be read as text, bytes or a web stream, and its headers as Headers', async () => {
  await using server = await serve((_, response) => {
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.end('Zoë')
  })
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const get = () => client.send({ method: 'GET', path: '/' })
  expect(await (await get()).text()).toBe('Zoë')
  expect(Buffer.from(await (await get()).bytes()).toString()).toBe('Zoë')
  expect(await new Response((await get()).body).text()).toBe('Zoë')
  const response = await get()
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  await response.text()
  await client.close()
})

test('a body is read once', async () => {
  await using server = await serve((_, response) => response.end('once'))
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const response = await client.send({ method: 'GET', path: '/' })
  expect(response.bodyUsed).toBe(false)
  await response.text()
  expect(response.bodyUsed).toBe(true)
  await expect(response.text()).rejects.toThrow('read once')
  await client.close()
})

const PIECE = 'x'.repeat(64 * 1024)
/** Far more than sockets and a client hold between them. */
const PIECES = 512

/** Resolves when a number has not changed for many turns of the event loop, which both ends of the connection share. */
async function untilStill(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count()
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a body that nobody reads waits at the server, and comes whole when it is read', async () => {
  let sent = 0
  function* pieces() {
    for (sent = 0; sent < PIECES; sent++) yield PIECE
  }
  await using server = await serve((_, response) => void Readable.from(pieces()).pipe(response))
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const generate = () => client.generate({ path: '/', body: '', onSent: ignored })
  const response = await generate()
  await untilStill(() => sent)
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(PIECES)
  expect((await response.text()).length).toBe(PIECES * PIECE.length)
  let read = 0
  for await (const piece of responseChunks(await generate()) ?? []) {
    await new Promise((resolve) => setImmediate(resolve))
    read += piece.length
  }
  expect(read).toBe(PIECES * PIECE.length)
  await client.close()
})

test('who leaves a body before its end closes the connection', async () => {
  await using server = await serve((_, response) => response.write('first'))
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  const response = await client.generate({ path: '/', body: '', onSent: ignored })
  for await (const piece of responseChunks(response) ?? []) {
    expect(Buffer.from(piece).toString()).toBe('first')
    break
  }
  await expect.poll(server.connections).toBe(0)
  await client.close()
})

test.each(['whole', 'in pieces'])(
  'a body that breaks off is an error, never a shorter body (%s)',
  async (way) => {
    await using server = await serve((_, response) => {
      response.write('first', () => response.destroy())
    })
    const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
    const response = await client.generate({ path: '/', body: '', onSent: ignored })
    const pieces: string[] = []
    const read = async () => {
      if (way === 'whole') return response.text()
      for await (const piece of responseChunks(response) ?? []) pieces.push(Buffer.from(piece).toString())
      return pieces.join('')
    }
    await expect(read()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    expect(pieces).toEqual(way === 'whole' ? [] : ['first'])
    await client.close()
  },
)

test('closing twice is harmless', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:9', connectTimeoutMs: 1000 })
  await client.close()
  await client.close()
})
