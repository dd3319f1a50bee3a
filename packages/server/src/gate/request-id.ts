import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** An id from outside goes into logs and a header, so it holds nothing that could forge either. */
const VALID = /^[A-Za-z0-9._:-]{1,128}$/

/** The caller's `X-Request-Id` where it is a sane one, else a new UUID. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && VALID.test(given) ? given : randomUUID()
}

/** Every reply carries its id, and none is taken for something else than what it says it is. */
export function installRequestId(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    done()
  })
}
