import { listExchanges, loadExchange, startReplayServer } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { sendRaw } from './raw-request.ts'

test.for(['1.76', '1.115.1'] as const)(
  '[%s] every fixture parses and has its own name and version',
  (version) => {
    const names = listExchanges(version)
    expect(names.length).toBeGreaterThan(150)
    for (const name of names) expect(loadExchange(version, name)).toMatchObject({ name, koboldcpp: version })
  },
)

test('a plain exchange comes back byte for byte', async () => {
  const exchange = loadExchange('1.115.1', 'chat-normal')
  await using server = await startReplayServer(exchange)
  const reply = await sendRaw(server.port, exchange.request)
  expect(reply.statusLine).toBe('HTTP/1.0 200 OK')
  expect(reply.headerNames).toEqual(
    exchange.response.rawHeaders?.map((line) => line.slice(0, line.indexOf(':'))),
  )
  expect(reply.body).toBe(exchange.response.body)
  expect(server.requests[0]).toMatchObject({
    method: 'POST',
    exchange: 'chat-normal',
    body: { model: 'whatever' },
  })
})

test('a stream comes back in its pieces and ends as it ended', async () => {
  const exchange = loadExchange('1.76', 'chat-stream-slow-model')
  await using server = await startReplayServer(exchange)
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: '{}' })
  const pieces: string[] = []
  for await (const piece of response.body ?? []) pieces.push(Buffer.from(piece).toString())
  expect(pieces.join('')).toBe(exchange.response.chunks?.map(({ text }) => text).join(''))
  expect(pieces.length).toBeGreaterThan(3)
  expect(pieces.join('').endsWith('data: [DONE]')).toBe(true)
})

test('an empty reply stays empty, a hang stays a hang', async () => {
  await using empty = await startReplayServer(loadExchange('1.76', 'error-chat-messages-null'))
  const post = (url: string, signal: AbortSignal) => fetch(url, { method: 'POST', body: '{}', signal })
  const never = new AbortController().signal
  await expect(post(`${empty.url}/v1/chat/completions`, never)).rejects.toMatchObject({
    cause: { code: 'UND_ERR_SOCKET' },
  })

  await using hanging = await startReplayServer(loadExchange('1.115.1', 'stream-prompt-number'))
  const leaving = new AbortController()
  const response = await post(`${hanging.url}/api/extra/generate/stream`, leaving.signal)
  expect(response.status).toBe(200)
  const text = response.text().catch((error: Error) => error.name)
  leaving.abort()
  expect(await text).toBe('AbortError')
})

test('exchanges of one path follow each other, and probes have fallbacks', async () => {
  await using server = await startReplayServer([
    loadExchange('1.115.1', 'busy-503-chat'),
    loadExchange('1.115.1', 'chat-normal'),
  ])
  const chat = async () =>
    (await fetch(`${server.url}/api/v1/chat/completions`, { method: 'POST', body: '{}' })).status
  expect([await chat(), await chat(), await chat()]).toEqual([503, 200, 200])
  expect(await (await fetch(`${server.url}/api/extra/perf`)).json()).toMatchObject({ idle: 1 })
  expect((await fetch(`${server.url}/nowhere`)).status).toBe(404)
  expect(server.requests.at(-1)?.exchange).toBeUndefined()
})
