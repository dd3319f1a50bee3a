import { eventRoutes } from '@ai-ticket/http-server'
import { type FastifyInstance, fastify } from 'fastify'
import { expect, it } from 'vitest'
import { type TicketRoutesOptions, ticketRoutes } from '../src/fastify.ts'
import { createCallbackPolicy } from '../src/index.ts'
import { openTicketDesk } from './open-ticket-desk.ts'

const FAST = { tokensPerSecond: 100_000, answer: () => 'one two three' }
const EVENT = { content: 'Why?', id: 'evt_1' }
const CALLBACK = 'https://hooks.example.com/done'
const callbacks = createCallbackPolicy({ allow: [CALLBACK] })

type Desk = Awaited<ReturnType<typeof openTicketDesk>>

/** Both plugins in an app of somebody's own, in the way that `register` says. */
async function openApp(
  desk: Desk,
  register: (app: FastifyInstance, tickets: TicketRoutesOptions) => unknown,
) {
  const app = fastify()
  register(app, { store: desk.store, desk: desk.desk, callbacks })
  await app.ready()
  return app
}

const PREFIXED = [
  [
    'the events alone',
    { event: '/ai/event', tickets: '' },
    (app, desk, options) => {
      app.register(eventRoutes, { dispatcher: desk.dispatcher, prefix: '/ai' })
      app.register(ticketRoutes, options)
    },
  ],
  [
    'each plugin',
    { event: '/ai/event', tickets: '/ai' },
    (app, desk, options) => {
      app.register(eventRoutes, { dispatcher: desk.dispatcher, prefix: '/ai' })
      app.register(ticketRoutes, { ...options, prefix: '/ai' })
    },
  ],
  [
    'a scope around both',
    { event: '/ai/event', tickets: '/ai' },
    (app, desk, options) =>
      app.register(
        async (scope) => {
          scope.register(eventRoutes, { dispatcher: desk.dispatcher })
          scope.register(ticketRoutes, options)
        },
        { prefix: '/ai' },
      ),
  ],
] satisfies [
  string,
  { event: string; tickets: string },
  (app: FastifyInstance, desk: Desk, options: TicketRoutesOptions) => unknown,
][]

it.each(PREFIXED)('makes tickets of events under a prefix: %s', async (_name, paths, register) => {
  await using desk = await openTicketDesk({ simulated: FAST })
  await using app = await openApp(desk, (made, options) => register(made, desk, options))
  const post = (headers: Record<string, string>, event: object = EVENT) =>
    app.inject({ method: 'POST', url: paths.event, headers, payload: event })

  const accepted = await post({ prefer: 'respond-async' })
  expect(accepted).toMatchObject({ statusCode: 202, headers: { 'preference-applied': 'respond-async' } })
  const { id, links } = accepted.json()
  expect(accepted.headers.location).toBe(`${paths.tickets}/tickets/${id}`)
  expect(links).toMatchObject({ self: accepted.headers.location, replay: `${links.self}/replay` })
  const ticket = await app.inject(`${accepted.headers.location}?wait=10s`)
  expect(ticket.json()).toMatchObject({ status: 'completed', links })

  await post({ 'idempotency-key': 'k1' })
  const again = await post({ 'idempotency-key': 'k1' })
  expect(again).toMatchObject({ statusCode: 200, headers: { 'idempotency-replayed': 'true' } })

  await post({}, { ...EVENT, callback_url: CALLBACK })
  const { tickets } = await desk.store.list({})
  expect(tickets).toMatchObject([{ callbackUrl: CALLBACK }, {}, { id }])
})

it('leaves routes alone that take no events', async () => {
  await using desk = await openTicketDesk({ simulated: FAST })
  await using app = await openApp(desk, (made, options) => {
    made.post('/event', async () => 'mine')
    made.register(ticketRoutes, options)
  })
  const headers = { prefer: 'respond-async' }
  const reply = await app.inject({ method: 'POST', url: '/event', headers, payload: EVENT })
  expect(reply).toMatchObject({ statusCode: 200, body: 'mine' })
})
