import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { isOpenAiPath } from './failure-reply.ts'
import type { KeyHolder } from './keyring.ts'
import { isOpenPath } from './open-paths.ts'
import { openAiRateHeaders, rateHeaders } from './rate-headers.ts'
import type { RateLimit, RateLimiter, RateStanding } from './rate-limit.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Asked for at fixed times by a monitor: no limit counts it. Default false. */
    isUnlimited?: boolean
  }
}

export interface RateLimitOptions {
  readonly limiter: RateLimiter
  /** Of callers whose key has no limit of its own; false: none. */
  readonly rateLimit: RateLimit | false
  readonly holderOf: (request: FastifyRequest) => KeyHolder | undefined
}

/**
 * One request counts once, however long it lasts. It counts for the name of its key; without a known one for its
 * address, wrong keys included, so that nobody can try many of them.
 */
export function installRateLimit(server: FastifyInstance, options: RateLimitOptions): void {
  const { limiter, holderOf } = options
  server.addHook('onRequest', (request, reply, done) => {
    const url = request.raw.url ?? ''
    if (isOpenPath(url) || request.routeOptions.config?.isUnlimited) return done()
    const holder = holderOf(request)
    const limit = holder?.rateLimit ?? options.rateLimit
    if (limit === false) return done()
    const standing = limiter.take(holder === undefined ? `ip ${request.ip}` : `key ${holder.name}`, limit)
    reply.headers(rateHeaders(limit, standing))
    if (isOpenAiPath(url)) reply.headers(openAiRateHeaders(limit, standing))
    done(standing.isAllowed ? undefined : refusal(standing))
  })
}

const refusal = ({ nextInMs }: RateStanding): RequestProblem =>
  new RequestProblem({
    code: 'rate_limited',
    details: 'That were too many requests. Come back after the time in Retry-After.',
    retryAfterMs: nextInMs,
  })
