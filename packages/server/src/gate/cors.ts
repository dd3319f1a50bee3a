import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'

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

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A page elsewhere cannot read what this server answers, but a browser sends it many a request all the same, and a replay
 * needs no body. So what changes something is refused where the browser says that another site asks: by
 * `Sec-Fetch-Site`, or by an `Origin` that is not the `Host` where that header is missing (plain HTTP). A
 * request with a key is no accident of a browser: no page knows the key, and that header needs a preflight. Listed origins may.
 */
export function installCrossSiteCheck(server: FastifyInstance, origins: readonly string[]): void {
  const allowed = new Set(origins)
  server.addHook('onRequest', (request, _reply, done) => {
    const { method, headers } = request.raw
    if (READS.has(method ?? '') || !isFromElsewhere(headers)) return done()
    const isListed = headers.origin !== undefined && allowed.has(headers.origin)
    const showsKey = headers.authorization !== undefined || headers['x-api-key'] !== undefined
    done(isListed || showsKey ? undefined : FROM_ELSEWHERE)
  })
}

function isFromElsewhere({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase()
}

const FROM_ELSEWHERE = new RequestProblem({
  code: 'forbidden',
  details:
    'A page of another site may not change anything here. Its operator can list the origin of the page (corsOrigins, ' +
    'AI_TICKET_CORS_ORIGINS), or the page can show an API key.',
})

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
