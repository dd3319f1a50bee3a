import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import type { Scope } from './api-key.ts'
import { type Keyring, mayUse } from './keyring.ts'
import { isOpenPath } from './open-paths.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A key with one of these may ask; one with `admin` always may. Default: `admin` only. */
    scopes?: readonly Scope[]
  }
}

/** Every address wants a key, those that do not exist included; only probes do not. */
export function installAuth(server: FastifyInstance, keyring: Keyring): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (isOpenPath(request.raw.url ?? '')) return done()
    const holder = keyring.verify(request.raw.headers)
    if (holder === undefined) return done(NO_KEY)
    // Nothing is there: that is for the next hook to say.
    if (request.is404) return done()
    const scopes = scopesOf(request)
    done(mayUse(holder, scopes) ? undefined : missingScope(scopes))
  })
}

/** A route that says nothing of keys is nobody's but the operator's. */
const scopesOf = ({ routeOptions }: FastifyRequest): readonly Scope[] =>
  routeOptions.config.scopes ?? ['admin']

const NO_KEY = new RequestProblem({
  code: 'unauthorised',
  details: 'Send a valid API key: `Authorization: Bearer <key>` or `X-API-Key: <key>`.',
})

export const missingScope = (scopes: readonly Scope[]): RequestProblem =>
  new RequestProblem({
    code: 'forbidden',
    details: `This needs an API key with the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`,
  })
