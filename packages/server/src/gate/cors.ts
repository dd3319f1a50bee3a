import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Read by pages beside the answer itself. */
const EXPOSED = [
  ...['x-request-id', 'retry-after', 'x-should-retry', 'location', 'allow', 'www-authenticate'],
  ...['ratelimit', 'ratelimit-policy', 'x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests'],
  'x-ratelimit-reset-requests',
].join(', ')

/** Browsers keep what a preflight said for two hours at most. */
const MAX_AGE_SECONDS = '7200'

/**
 * Lets pages of these origins ask, and read every answer, refusals included. Preflights carry no key, so they are answered
 * before keys are asked for, whatever the address. To be installed before every hook that refuses.
 */
export function installCors(server: FastifyInstance, origins: readonly string[]): void {
  const allowed = new Set(origins)
  server.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers
    reply.header('vary', 'origin')
    if (origin === undefined || !allowed.has(origin)) return done()
    reply.header('access-control-allow-origin', origin)
    if (!isPreflight(request)) {
      reply.header('access-control-expose-headers', EXPOSED)
      return done()
    }
    const { 'access-control-request-headers': wanted, 'access-control-request-private-network': isPrivate } =
      request.headers
    reply.headers({
      vary: 'origin, access-control-request-headers',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': MAX_AGE_SECONDS,
      // OpenAI's client alone sends seven of its own, and more with each version.
      ...(typeof wanted === 'string' && { 'access-control-allow-headers': wanted }),
      ...(isPrivate === 'true' && { 'access-control-allow-private-network': 'true' }),
    })
    reply.code(204).send()
  })
}

/** A browser asks whether a page may send a request. There is no key in it, by design. */
export const isPreflight = ({ method, headers }: Pick<FastifyRequest, 'method' | 'headers'>): boolean =>
  method === 'OPTIONS' &&
  headers.origin !== undefined &&
  headers['access-control-request-method'] !== undefined

/** What is wrong with an origin, as a browser would send it; undefined: nothing. */
export function originProblem(origin: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*\\]+$/.test(origin)) return NOT_AN_ORIGIN
  if (!/^https?:/.test(origin)) return undefined
  const written = URL.canParse(origin) ? new URL(origin).origin : undefined
  if (written === origin) return undefined
  return written === undefined ? NOT_AN_ORIGIN : `has to be written as browsers do: ${written}.`
}

const NOT_AN_ORIGIN =
  'must be an origin like https://app.example.com: scheme, host and port, no path and no *.'
