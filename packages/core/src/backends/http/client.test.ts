import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { createClient } from './client.ts'

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

test.each(['pool', 'fetch'] as const)('sends method, path, headers and body (%s)', async (way) => {
  await using server = await serve(echo)
  const client = createClient({
    baseUrl: `${server.url}/box`,
    apiKey: 'k',
    connectTimeoutMs: 1000,
    ...(way === 'fetch' && { fetch }),
  })
  const headers = { traceparent: '00-1-2-01' }
  const response = await client.send({ method: 'POST', path: '/v1/x', body: '"é"', headers })
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
  const response = await client.send({
    method: 'GET',
    path: '/',
    headers: { authorization: 'Bearer theirs' },
  })
  expect(await response.json()).toMatchObject({ headers: { authorization: 'Bearer ours' } })
  await client.close()
})

test('tells when the request is about to be written, and not before there is a connection', async () => {
  await using server = await serve(echo)
  const sent: string[] = []
  const client = createClient({ baseUrl: server.url, connectTimeoutMs: 1000 })
  await client.send({ method: 'GET', path: '/', onSent: () => sent.push('open port') }).then((r) => r.text())
  const away = createClient({ baseUrl: 'http://127.0.0.1:9', connectTimeoutMs: 1000 })
  const refused = away.send({ method: 'GET', path: '/', onSent: () => sent.push('closed port') })
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
  const head = client.send({
    method: 'GET',
    path: '/head',
    signal: first.signal,
    onSent: () => first.abort(reason),
  })
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

test('closing twice is harmless', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:9', connectTimeoutMs: 1000 })
  await client.close()
  await client.close()
})
