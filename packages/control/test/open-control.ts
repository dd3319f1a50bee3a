import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type ServerOptions } from '@ai-ticket/http-server'
import { ticketRoutes } from '@ai-ticket/tickets/fastify'
import { judgeResponses } from '../../server/test/openapi-judge.ts'
import { type OpenTicketDeskOptions, openTicketDesk } from '../../tickets/test/open-ticket-desk.ts'
import { type ControlRoutesOptions, controlRoutes } from '../src/index.ts'

export interface OpenControlOptions extends OpenTicketDeskOptions {
  readonly server?: Partial<ServerOptions>
  readonly control?: Partial<ControlRoutesOptions>
}

const FACTS = {
  version: '1.2.3',
  worker: 'desk-1',
  store: 'sqlite',
  history: 'full',
  takesCallbacks: false,
} as const

/** A whole desk on a loopback port: a simulator, tickets in memory, and the operator's API. Closed at the end of the test. */
export async function openControl(options: OpenControlOptions = {}) {
  const desk = await openTicketDesk(options)
  const server = judgeResponses(createServer({ dispatcher: desk.dispatcher, ...options.server }))
  server.register(ticketRoutes, { store: desk.store, desk: desk.desk })
  server.register(controlRoutes, {
    ...FACTS,
    dispatcher: desk.dispatcher,
    tickets: desk.store,
    ...options.control,
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  /** A request of its own connection; `key` is the API key. */
  const send = (method: string, path: string, { key, body, headers }: Asking = {}): ClientRequest => {
    const sent = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: {
        ...headers,
        ...(key === undefined ? {} : { 'x-api-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    return sent
  }
  const ask = async (method: string, path: string, asking: Asking = {}) => {
    const [response] = (await once(send(method, path, asking), 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode, headers: response.headers, body: JSON.parse(text || 'null') }
  }
  return {
    ...desk,
    server,
    port,
    send,
    ask,
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.server.closeAllConnections()
      await closed
      await desk[Symbol.asyncDispose]()
    },
  }
}

interface Asking {
  readonly key?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}
