import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import type { Scope } from './api-key.ts'
import type { KeyHolder, Keyring } from './auth.ts'
import { isPreflight } from './cors.ts'
import { burstOf, costMsOf, type RateLimit, type RateLimiter, type RateStanding } from './rate-limit.ts'
import { isOpenAiPath, isOpenPath } from './request-url.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Asked for at fixed times by a monitor: no limit counts it. Default false. */
    isUnlimited?: boolean
  }
}

interface RateLimitOptions {
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
    if (isOpenPath(url) || isPreflight(request) || request.routeOptions.config?.isUnlimited) return done()
    const holder = holderOf(request)
    const limit = holder?.rateLimit ?? options.rateLimit
    if (limit === false) return done()
    const standing = limiter.take(holder === undefined ? `ip ${request.ip}` : nameInLimiter(holder), limit)
    reply.headers(rateHeaders(limit, standing))
    if (isOpenAiPath(url)) reply.headers(openAiRateHeaders(limit, standing))
    done(standing.isAllowed ? undefined : refusal(standing))
  })
}

/** Keys of one name count as one. */
const nameInLimiter = ({ name }: KeyHolder): string => `key ${name}`

/** An API key without the key, for plugins that show who may ask. */
export interface KeyReport {
  /** Whose it is, in logs, in the line and on tickets. */
  readonly name: string
  /** What it may do. */
  readonly scopes: readonly Scope[]
  /** False: none. */
  readonly rateLimit: RateLimit | false
  /** Requests that would be let in now; keys of one name share them. Absent: no limit. */
  readonly left?: number
  /** When a request last showed it, in milliseconds since 1970. Absent: not since this server began. */
  readonly lastSeenAt?: number
  /** Of its events that name no priority. Absent: what the door says. */
  readonly priority?: number
  /** The highest that its events get. Absent: as they ask. */
  readonly maxPriority?: number
}

/** What is known of each key, in the order in which they were given. */
export function reportKeys(
  keyring: Pick<Keyring, 'seen'> | undefined,
  { limiter, rateLimit }: Pick<RateLimitOptions, 'limiter' | 'rateLimit'>,
): KeyReport[] {
  return (keyring?.seen() ?? []).map(({ holder, lastSeenAt }) => {
    const { name, rateLimit: own, priority, maxPriority } = holder
    const limit = own ?? rateLimit
    return {
      name,
      scopes: [...holder.scopes],
      rateLimit: limit,
      ...(limit === false ? {} : { left: limiter.left(nameInLimiter(holder), limit) }),
      ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
      ...(priority === undefined ? {} : { priority }),
      ...(maxPriority === undefined ? {} : { maxPriority }),
    }
  })
}

const refusal = ({ nextInMs }: RateStanding): RequestProblem =>
  new RequestProblem({
    code: 'rate_limited',
    details: 'Too many requests. Try again after the time in Retry-After.',
    retryAfterMs: nextInMs,
  })

/**
 * `RateLimit-Policy` and `RateLimit`, structured fields of the draft ietf-httpapi-ratelimit-headers. The policy says the
 * same as the limit in other words: its whole burst comes back in `w` seconds.
 */
export function rateHeaders(limit: RateLimit, { remaining, nextInMs }: RateStanding): Record<string, string> {
  const quota = burstOf(limit)
  return {
    'ratelimit-policy': `"requests";q=${quota};w=${seconds(quota * costMsOf(limit))}`,
    ratelimit: `"requests";r=${remaining};t=${seconds(nextInMs)}`,
  }
}

/** What OpenAI's clients look for. */
export function openAiRateHeaders(
  limit: RateLimit,
  { remaining, fullInMs }: RateStanding,
): Record<string, string> {
  return {
    'x-ratelimit-limit-requests': String(burstOf(limit)),
    'x-ratelimit-remaining-requests': String(remaining),
    'x-ratelimit-reset-requests': goDuration(fullInMs),
  }
}

/** Rounded up: a caller that comes back too early is refused again. */
const seconds = (timeMs: number): number => Math.max(1, Math.ceil(timeMs / 1_000))

/** As OpenAI writes it: `120ms`, `7s`, `6m0s`, `1h0m0s`. */
export function goDuration(timeMs: number): string {
  if (timeMs < 1_000) return `${Math.ceil(timeMs)}ms`
  const all = Math.ceil(timeMs / 1_000)
  const [hours, minutes] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60]
  return `${hours > 0 ? `${hours}h` : ''}${all >= 60 ? `${minutes}m` : ''}${all % 60}s`
}
