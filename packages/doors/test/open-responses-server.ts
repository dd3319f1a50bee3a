import type { AddressInfo } from 'node:net'
import { createDispatcher, createKoboldBackend, type DispatcherOptions } from '@ai-ticket/core'
import { createServer, type ServerOptions } from '@ai-ticket/http-server'
import { type KoboldSimulatorOptions, startKoboldSimulator } from '@ai-ticket/testkit'
import { createHistory, createSqliteStore, createTicketDesk } from '@ai-ticket/tickets'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import OpenAI from 'openai'
import { judgeResponses } from '../../server/test/openapi-judge.ts'
import { responsesDoor } from '../src/index.ts'

export interface ResponsesServerOptions {
  readonly simulated?: KoboldSimulatorOptions
  readonly server?: Partial<ServerOptions>
  readonly tuning?: Partial<DispatcherOptions>
  /** Default: `full`. */
  readonly history?: 'full' | 'metadata' | 'off'
  /** Default: true. */
  readonly tickets?: boolean
}

/** A server with this door, tickets and history in memory, in front of one simulator. */
export async function openResponsesServer(options: ResponsesServerOptions = {}) {
  const { history: mode = 'full', tickets = true } = options
  const simulator = await startKoboldSimulator(options.simulated)
  const store = createSqliteStore({ directory: ':memory:' })
  const history = createHistory({ store, mode })
  const dispatcher = createDispatcher({
    backends: [createKoboldBackend({ url: simulator.url, name: 'b1' })],
    onOutcome: history.onOutcome,
    ...options.tuning,
  })
  const desk = createTicketDesk({ store, dispatcher })
  await desk.start()
  const server = judgeResponses(createServer({ dispatcher, ...options.server }))
  if (tickets) server.register(ticketRoutes, { store, desk })
  server.register(responsesDoor, { keepsHistory: mode === 'full' })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  return {
    simulator,
    store,
    dispatcher,
    server,
    port,
    origin,
    /** The official client, as it comes. */
    client: (apiKey = 'none') => new OpenAI({ baseURL: `${origin}/v1`, apiKey }),
    async post(path: string, body: unknown) {
      const response = await fetch(origin + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: response.status, headers: response.headers, body: (await response.json()) as never }
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await Promise.all([desk.close(), dispatcher.close(), history.close()])
      await store.close()
      await simulator.close()
    },
  }
}
