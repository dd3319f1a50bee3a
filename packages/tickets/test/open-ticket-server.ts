import type { AddressInfo } from 'node:net'
import { createServer, type ServerOptions } from '@ai-ticket/http-server'
import { judgeResponses } from '../../server/test/openapi-judge.ts'
import { type TicketRoutesOptions, ticketRoutes } from '../src/fastify.ts'
import { type OpenTicketDeskOptions, openTicketDesk } from './open-ticket-desk.ts'

/** A server with tickets on a loopback port, with a store in memory and a simulator; all closed at the end of the test. */
export async function openTicketServer(
  options: OpenTicketDeskOptions & {
    server?: Partial<ServerOptions>
    routes?: Partial<TicketRoutesOptions>
  } = {},
) {
  const desk = await openTicketDesk(options)
  const server = judgeResponses(createServer({ dispatcher: desk.dispatcher, ...options.server }))
  server.register(ticketRoutes, { store: desk.store, desk: desk.desk, ...options.routes })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as AddressInfo
  const ask = async (
    method: string,
    path: string,
    more: { body?: unknown; headers?: Record<string, string> } = {},
  ) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...more.headers,
      },
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
    })
    const text = await response.text()
    const body = text.startsWith('{') ? JSON.parse(text) : undefined
    return { status: response.status, headers: response.headers, text, body }
  }
  return {
    ...desk,
    port,
    get: (path: string, headers: Record<string, string> = {}) => ask('GET', path, { headers }),
    post: (path: string, body?: unknown, headers: Record<string, string> = {}) =>
      ask('POST', path, { body, headers }),
    delete: (path: string, headers: Record<string, string> = {}) => ask('DELETE', path, { headers }),
    async [Symbol.asyncDispose]() {
      await server.close()
      await desk[Symbol.asyncDispose]()
    },
  }
}

/** The events of a whole event stream. */
export function readEvents(text: string): { id: number; event: string; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id:'))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      return { id: Number(field('id')), event: field('event'), data: JSON.parse(field('data')) }
    })
}
