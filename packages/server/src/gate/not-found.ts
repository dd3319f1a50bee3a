import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendReply } from '../http/send-reply.ts'
import { failureReply } from './failure-reply.ts'
import { pathOf } from './open-paths.ts'

/**
 * An address that nothing has is `not_found`; one that other methods have is `method_not_allowed` with `Allow`. It is
 * answered before the body is read: what is wrong is the address, whatever the body holds.
 */
export function installNotFound(server: FastifyInstance): void {
  const answer = (request: FastifyRequest, reply: FastifyReply) => {
    const url = request.raw.url ?? ''
    const allowed = methodsOf(server, pathOf(url))
    if (allowed.length > 0) reply.header('allow', allowed.join(', '))
    return sendReply(reply, failureReply(url, allowed.length > 0 ? wrongMethod(allowed) : NOT_FOUND))
  }
  server.setNotFoundHandler(answer)
  server.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answer(request, reply)
    else done()
  })
}

const NOT_FOUND = {
  code: 'not_found',
  details: 'Nothing has this address. Events go to POST /event, OpenAI clients to /v1.',
} as const

const wrongMethod = (allowed: readonly string[]) =>
  ({ code: 'method_not_allowed', details: `This address takes ${allowed.join(', ')}.` }) as const

function methodsOf(server: FastifyInstance, url: string): string[] {
  return server.supportedMethods.filter((method) => server.findRoute({ method, url }) !== null)
}
