import type { FastifyInstance } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'

/** Longer than any query of ours needs; Node itself takes addresses up to the limit of all headers, 16 KiB. */
const MAX_URL_LENGTH = 8 * 1_024

export function installUrlLimit(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    done((request.raw.url ?? '').length > MAX_URL_LENGTH ? TOO_LONG : undefined)
  })
}

const TOO_LONG = new RequestProblem({
  code: 'header_too_large',
  details: 'The address is longer than 8 KiB. Put less into the query.',
})
