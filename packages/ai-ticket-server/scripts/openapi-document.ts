import { controlRoutes, createSeries } from '@ai-ticket/control'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { anthropicDoor, koboldDoor, responsesDoor } from '@ai-ticket/doors'
import { createMetrics, createServer } from '@ai-ticket/http-server'
import { createSqliteStore } from '@ai-ticket/tickets'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import { VERSION } from '../src/version.ts'

const ANY = { requests: 1_000, windowMs: 1_000 }

/** The server with everything that it can have; nothing of it is asked for anything but its description. */
export async function openFullServer() {
  const apiKeys = ['key']
  const store = createSqliteStore({ directory: ':memory:' })
  const dispatcher = createDispatcher({ backends: [createKoboldBackend({ url: 'http://127.0.0.1:1' })] })
  const metrics = await createMetrics()
  const server = createServer({ dispatcher, metrics, apiKeys, rateLimit: ANY, version: VERSION })
  server.register(ticketRoutes, { store })
  server.register(controlRoutes, {
    dispatcher,
    tickets: store,
    version: VERSION,
    worker: 'desk',
    store: 'sqlite',
    history: 'full',
    takesCallbacks: true,
    settings: async () => [],
    series: createSeries({ worker: 'desk' }),
    changer: { change: async () => ({ ok: true, changes: [] }), changes: () => [] },
  })
  server.register(koboldDoor)
  server.register(responsesDoor)
  server.register(anthropicDoor)
  await server.ready()
  return {
    server,
    document: async () =>
      (await server.inject({ url: '/openapi.json', headers: { 'x-api-key': 'key' } })).json() as object,
    async [Symbol.asyncDispose]() {
      await server.close()
      await dispatcher.close()
      await store.close()
    },
  }
}
