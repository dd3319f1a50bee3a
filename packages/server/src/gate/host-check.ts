import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { isOpenPath } from './request-url.ts'

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
  // Callers hardly ever change the name, and parsing it costs most.
  let lastAccepted: string | undefined
  server.addHook('onRequest', (request, _reply, done) => {
    const { host } = request.raw.headers
    // Node keeps the first; whoever stands in front may have gone by the other.
    if (hasTwoHosts(request.raw.rawHeaders)) return done(TWO_HOSTS)
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

function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count > 1
}

const TWO_HOSTS = new RequestProblem({
  code: 'invalid_request',
  details: 'The request has two Host headers. Send one.',
})

const NO_HOST = new RequestProblem({
  code: 'invalid_request',
  details: 'The request has no Host header. Send one.',
})

const FOREIGN_HOST = new RequestProblem({
  code: 'forbidden',
  details:
    'This server does not answer to the name in the Host header. Its operator can allow the name (allowedHosts, ' +
    'AI_TICKET_ALLOWED_HOSTS) or set API keys.',
})

/** The name in a `Host` header, lower case, without port, brackets and final dot. */
export function hostNameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '')
  return name.toLowerCase().replace(/\.$/, '')
}

/**
 * Names that a page from elsewhere cannot be loaded from: `localhost` and what is under it, and addresses. DNS
 * rebinding needs a *name* that the attacker can point at us; a `Host` that is an address shows there was none.
 */
export const isSafeFromRebinding = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0
