import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, openSocket, parseRaw, postEvent, readUntil } from './open-server.ts'

/** Events that wait until they are let go; one of an odd length is answered at once. */
function holdingDispatcher() {
  const waiting: (() => void)[] = []
  const dispatcher = fakeDispatcher({
    onEvent: async (event) => {
      if ((event as { content: string }).content.length % 2 === 1) return SUCCESS
      await new Promise<void>((resolve) => waiting.push(resolve))
      return SUCCESS
    },
  })
  return { dispatcher, waiting }
}

const KEYS = [
  { key: 'first-key', name: 'first' },
  { key: 'second-key', name: 'second' },
]
const content = (bytes: number) => JSON.stringify({ content: 'x'.repeat(bytes) })

const post = (url: string, body: string | ReadableStream, key = 'first-key') =>
  fetch(`${url}/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body,
    // What Node's fetch wants for a body without a length.
    duplex: 'half',
  } as RequestInit)

test('bodies that wait or run have a budget of bytes, and one caller leaves room for another', async () => {
  const { dispatcher, waiting } = holdingDispatcher()
  await using server = await openServer({
    ...{ dispatcher, apiKeys: KEYS, bodyLimitBytes: 50_000, bodyBudgetBytes: 100_000 },
  })
  const taken = [post(server.url, content(35_000)), post(server.url, content(35_000))]
  await expect.poll(() => waiting.length).toBe(2)

  const refused = await post(server.url, content(10_000))
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toBe('5')
  const body = (await refused.json()) as { error: string; details: string }
  expect(body.error).toBe('capacity_exceeded')
  expect(body.details).toContain('100,000 bytes')

  taken.push(post(server.url, content(20_000), 'second-key'))
  await expect.poll(() => waiting.length).toBe(3)
  // Not even the second has room for more now.
  expect((await post(server.url, content(15_000), 'second-key')).status).toBe(503)

  for (const letGo of waiting.splice(0)) letGo()
  for (const reply of await Promise.all(taken)) expect(reply.status).toBe(200)
  const again = post(server.url, content(45_000))
  await expect.poll(() => waiting.length).toBe(1)
  waiting[0]?.()
  expect((await again).status).toBe(200)
})

test('a caller who hangs up gives its bytes back', async () => {
  const { dispatcher, waiting } = holdingDispatcher()
  await using server = await openServer({ dispatcher, bodyLimitBytes: 50_000, bodyBudgetBytes: 50_000 })
  const socket = await openSocket(server.port)
  socket.write(postEvent({ content: 'x'.repeat(40_000) }))
  await expect.poll(() => waiting.length).toBe(1)
  expect((await post(server.url, content(10_001))).status).toBe(503)
  socket.destroy()
  await expect.poll(async () => (await post(server.url, content(10_001))).status).toBe(200)
})

test('a body in chunks counts as it comes, and the refusal can be read', async () => {
  const { dispatcher, waiting } = holdingDispatcher()
  await using server = await openServer({ dispatcher, bodyLimitBytes: 50_000, bodyBudgetBytes: 50_000 })
  const held = post(server.url, content(30_000))
  await expect.poll(() => waiting.length).toBe(1)
  const socket = await openSocket(server.port)
  const answer = readUntil(socket, '}')
  const head = ['host: 127.0.0.1', 'content-type: application/json', 'transfer-encoding: chunked']
  socket.write(`POST /event HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
  const body = content(25_000)
  socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
  expect(parseRaw(await answer)).toMatchObject({ status: 503, body: { error: 'capacity_exceeded' } })
  socket.destroy()
  waiting[0]?.()
  expect((await held).status).toBe(200)
})
