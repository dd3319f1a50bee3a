import { expect, test } from 'vitest'
import { fakeDispatcher, SUCCESS } from './fake-dispatcher.ts'
import { openServer, sendRaw } from './open-server.ts'

const dispatcher = fakeDispatcher({ onEvent: async () => SUCCESS })

/** As a browser would send it, or a client: a change without a body. */
async function statusOf(port: number, method: string, headers: Record<string, string>): Promise<number> {
  const lines = { host: `desk.localhost:${port}`, connection: 'close', ...headers }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  const answer = await sendRaw(port, `${method} /change HTTP/1.1\r\n${head.join('')}\r\n`)
  return Number(answer.split(' ')[1])
}

/** A server with a route that needs no body, as a replay does. */
async function openChangeable(corsOrigins: string[] = []) {
  const desk = await openServer({ dispatcher, corsOrigins, apiKeys: [] }, (server) => {
    for (const method of ['POST', 'DELETE', 'PUT', 'PATCH'])
      server.route({ method, url: '/change', handler: async () => ({ done: true }) })
  })
  return desk
}

test.each([
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['a neighbour', { 'sec-fetch-site': 'same-site', origin: 'http://other.localhost' }],
  ['another site, which hides its name', { 'sec-fetch-site': 'cross-site', origin: 'null' }],
  ['another site over plain HTTP', { origin: 'http://evil.example' }],
  ['another port over plain HTTP', { origin: 'http://desk.localhost:1' }],
  ['a file', { origin: 'null' }],
])('a page of %s changes nothing', async (_whose, headers) => {
  await using desk = await openChangeable()
  for (const method of ['POST', 'DELETE', 'PUT', 'PATCH'])
    expect(await statusOf(desk.port, method, headers), method).toBe(403)
})

test('the same origin, a person, a client, a key and a listed origin may', async () => {
  await using desk = await openChangeable(['https://app.example.com'])
  const fine: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'same-origin', origin: 'https://whatever.example' },
    { 'sec-fetch-site': 'none' },
    { origin: `http://DESK.localhost:${desk.port}` },
    { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' },
    { 'sec-fetch-site': 'cross-site', origin: 'chrome-extension://abc', 'x-api-key': 'sesame' },
  ]
  for (const headers of fine) {
    expect(await statusOf(desk.port, 'POST', headers), JSON.stringify(headers)).toBe(200)
    expect(await statusOf(desk.port, 'DELETE', headers), JSON.stringify(headers)).toBe(200)
  }
})
