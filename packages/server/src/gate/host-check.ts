import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { hostNameOf, isSafeFromRebinding } from './host-name.ts'
import { isOpenPath } from './open-paths.ts'

/**
 * A listener without keys is open to every page in a browser on this machine that finds a name for it (DNS
 * rebinding). So it answers only to names that are its own. With keys (`any`) a `Host` is wanted, whatever it says.
 * Probes (`/livez`, `/readyz`, `/health`) ask by any name or none. Returns whether a request came by a good name, for
 * `/health` to keep its detail to itself.
 */
export function installHostCheck(
  server: FastifyInstance,
  allowedHosts: readonly string[] | 'any',
): HostCheck {
  const isAllowed = allowedHosts === 'any' ? () => true : nameCheck(allowedHosts)
  // Callers hardly ever change the name, and parsing it is the dearest part.
  let lastAccepted: string | undefined
  server.addHook('onRequest', (request, _reply, done) => {
    const { host } = request.raw.headers
    if (host !== undefined && host === lastAccepted) return done()
    if (isOpenPath(request.raw.url ?? '')) return done()
    if (host === undefined) return done(NO_HOST)
    if (!isAllowed(hostNameOf(host))) return done(FOREIGN_HOST)
    lastAccepted = host
    done()
  })
  return ({ raw: { headers } }) => headers.host !== undefined && isAllowed(hostNameOf(headers.host))
}

type HostCheck = (request: FastifyRequest) => boolean

function nameCheck(allowedHosts: readonly string[]): (name: string) => boolean {
  const allowed = new Set(allowedHosts.map(hostNameOf))
  return (name) => isSafeFromRebinding(name) || allowed.has(name)
}

const NO_HOST = new RequestProblem({ code: 'invalid_request', details: 'The request has no Host header.' })

const FOREIGN_HOST = new RequestProblem({
  code: 'forbidden',
  details:
    'This server does not answer to the name in the Host header. Its operator can allow the name (allowedHosts, ' +
    'AI_TICKET_ALLOWED_HOSTS) or set API keys.',
})
