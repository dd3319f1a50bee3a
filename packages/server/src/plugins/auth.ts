import type { FastifyInstance } from 'fastify'
import type { Keyring } from '../keyring.ts'
import { isOpenPath } from '../open-paths.ts'
import { RequestProblem } from '../request-problem.ts'

/** Every address wants a key, those that do not exist included; only probes do not. */
export function installAuth(server: FastifyInstance, keyring: Keyring): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (isOpenPath(request.raw.url ?? '') || keyring.verify(request.raw.headers) !== undefined) return done()
    done(
      new RequestProblem({
        code: 'unauthorised',
        details: 'Send a valid API key: `Authorization: Bearer <key>` or `X-API-Key: <key>`.',
      }),
    )
  })
}
