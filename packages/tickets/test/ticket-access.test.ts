import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { ticketRoutes } from '../src/fastify.ts'
import { createSqliteStore } from '../src/index.ts'
import { newTicket } from './new-ticket.ts'
import { openTicketServer } from './open-ticket-server.ts'

const LONG = { answer: () => 'one two three four five '.repeat(200), tokensPerSecond: 50 }
const KEYS = [
  { key: 'mine', name: 'mine', scopes: ['events'] },
  { key: 'rotated', name: 'mine', scopes: ['events'] },
  { key: 'theirs', name: 'theirs', scopes: ['events'] },
  { key: 'view', scopes: ['read'] },
  { key: 'view-send', scopes: ['read', 'events'] },
  { key: 'boss', scopes: ['admin'] },
] as const

const open = () => openTicketServer({ simulated: LONG, server: { apiKeys: KEYS } })

/** A server, one ticket of `mine`, and how each key is answered there. */
async function openWithTicket() {
  const server = await open()
  const accepted = await server.post('/tickets', { content: 'Why?' }, { 'x-api-key': 'mine' })
  const path = `/tickets/${accepted.body.id}`
  const statusOf = async (method: string, key: string, url = path) =>
    (
      await fetch(`http://127.0.0.1:${server.port}${url}`, {
        method,
        headers: { 'x-api-key': key, accept: 'application/json' },
      })
    ).status
  return { server, path, statusOf, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

it('shows a ticket to the keys of its name and to those that read; to others it is not there', async () => {
  await using desk = await openWithTicket()
  for (const [key, status] of [
    ['mine', 200],
    ['rotated', 200],
    ['theirs', 404],
    ['view', 200],
    ['boss', 200],
  ] as const) {
    expect([key, await desk.statusOf('GET', key)]).toEqual([key, status])
  }
  const hidden = await desk.server.get(desk.path, { 'x-api-key': 'theirs' })
  const absent = await desk.server.get('/tickets/tkt_0', { 'x-api-key': 'theirs' })
  // Nothing tells a ticket of others from none.
  expect(hidden.body).toEqual(absent.body)
  const stream = await desk.server.get(desk.path, { 'x-api-key': 'theirs', accept: 'text/event-stream' })
  expect(stream).toMatchObject({ status: 404, body: { error: 'not_found' } })
})

it('lets a key cancel the tickets of its name, and the operator all', async () => {
  await using desk = await openWithTicket()
  expect(await desk.statusOf('DELETE', 'theirs')).toBe(404)
  expect(await desk.statusOf('DELETE', 'view')).toBe(403)
  expect(await desk.statusOf('DELETE', 'view-send')).toBe(403)
  expect((await desk.server.get(desk.path, { 'x-api-key': 'mine' })).body.status).not.toBe('cancelled')
  expect(await desk.statusOf('DELETE', 'rotated')).toBe(200)
  await using other = await openWithTicket()
  expect(await other.statusOf('DELETE', 'boss')).toBe(200)
})

it.each([
  ['GET', '/tickets', ['view', 'view-send', 'boss']],
  ['GET', '/tickets/stats', ['view', 'view-send', 'boss']],
  ['POST', '/tickets/tkt_0/replay', ['boss']],
])('%s %s is for some keys', async (method, url, allowed) => {
  await using desk = await openWithTicket()
  for (const { key } of KEYS) {
    const status = await desk.statusOf(method, key, url)
    expect([key, status !== 403]).toEqual([key, allowed.includes(key)])
  }
})

it('leaves it to a server of your own who may ask', async () => {
  await using store = createSqliteStore({ directory: ':memory:' })
  const accepted = await store.accept(newTicket({ caller: 'somebody' }))
  if (!('ticket' in accepted)) throw new Error('not accepted')
  await using app = fastify()
  app.register(ticketRoutes, { store })
  expect((await app.inject(`/tickets/${accepted.ticket.id}`)).statusCode).toBe(200)
  expect((await app.inject({ method: 'DELETE', url: `/tickets/${accepted.ticket.id}` })).statusCode).toBe(200)
})
