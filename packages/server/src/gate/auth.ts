import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { type Clock, LongNumber, systemClock } from '@ai-ticket/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestProblem } from '../http/request-problem.ts'
import { type ApiKey, digestOf, isPriority, type Scope, sha256 } from './api-key.ts'
import { isPreflight } from './cors.ts'
import { isOpenPath } from './request-url.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A key with one of these may ask; one with `admin` always may. Default: `admin` only. */
    scopes?: readonly Scope[]
    /** No key is asked for, and the route itself tells less without one (`hasScope`). Default false. */
    isKeyless?: boolean | ((request: FastifyRequest) => boolean)
    /** The API that the route belongs to, for instance `anthropic`: it takes events, and its door may have a priority. */
    door?: string
  }
}

/** Every address needs a key, even one that does not exist; only probes need none, and routes that say so. */
export function installAuth(server: FastifyInstance, keyring: Keyring): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (isOpenPath(request.raw.url ?? '') || isKeyless(request) || isForAnother(request)) return done()
    const holder = keyring.verify(request.raw.headers)
    if (holder === undefined) return done(NO_KEY)
    // The next hook says that nothing is there.
    if (request.is404) return done()
    const scopes = scopesOf(request)
    done(mayUse(holder, scopes) ? undefined : missingScope(scopes))
  })
}

/** Whether the route of a request says that nobody needs a key for it. */
export function isKeyless(request: FastifyRequest): boolean {
  const said = request.routeOptions.config?.isKeyless
  return typeof said === 'function' ? said(request) : said === true
}

/** A preflight, which never has a key, to a route that a plugin of somebody else's has for them. */
const isForAnother = (request: FastifyRequest): boolean =>
  isPreflight(request) && !request.is404 && request.routeOptions.config.scopes === undefined

/** A route that names no scopes is for the operator only. */
const scopesOf = ({ routeOptions }: FastifyRequest): readonly Scope[] =>
  routeOptions.config.scopes ?? ['admin']

const NO_KEY = new RequestProblem({
  code: 'unauthorised',
  details: 'Send a valid API key: `Authorization: Bearer <key>` or `X-API-Key: <key>`.',
})

const missingScope = (scopes: readonly Scope[]): RequestProblem =>
  new RequestProblem({
    code: 'forbidden',
    details: `This needs an API key with the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`,
  })

/** Whose key a request shows, and what it may do. */
export interface KeyHolder extends Pick<ApiKey, 'rateLimit' | 'priority' | 'maxPriority'> {
  /** Fit for logs. */
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
}

/** Who may ask. Keys are kept as SHA-256 digests only. */
export interface Keyring {
  /** Undefined if the caller carries none of our keys. */
  verify(headers: IncomingHttpHeaders): KeyHolder | undefined
  /** In the order in which they were given. */
  seen(): readonly SeenKey[]
}

interface StoredKey {
  readonly digest: Buffer
  readonly holder: KeyHolder
  lastSeenAt?: number
}

/** A key, and when it was last shown. */
interface SeenKey extends Pick<StoredKey, 'holder' | 'lastSeenAt'> {}

export function createKeyring(
  apiKeys: readonly ApiKey[],
  { wallTime }: Pick<Clock, 'wallTime'> = systemClock,
): Keyring {
  const stored = apiKeys.map(storeKey)
  // A request is asked about several times: may it pass, whose is it, may it do this.
  const known = new WeakMap<IncomingHttpHeaders, KeyHolder>()
  return {
    verify(headers) {
      const presented = presentedKey(headers)
      if (presented === undefined) return undefined
      const holder = known.get(headers)
      if (holder !== undefined) return holder
      const found = keyOf(stored, sha256(presented))
      if (found === undefined) return undefined
      found.lastSeenAt = wallTime()
      known.set(headers, found.holder)
      return found.holder
    },
    seen: () => stored,
  }
}

function storeKey({ key, name, scopes = ['admin'], ...rest }: ApiKey): StoredKey {
  const digest = digestOf(key)
  return {
    digest,
    holder: {
      name: name ?? `key_${digest.toString('hex').slice(0, 8)}`,
      scopes: new Set(scopes),
      ...rest,
    },
  }
}

/** Compares with every key, so that the time reveals neither the key that matched nor how much of it. */
function keyOf(stored: readonly StoredKey[], digest: Buffer): StoredKey | undefined {
  let found: StoredKey | undefined
  for (const key of stored) {
    if (timingSafeEqual(key.digest, digest)) found = key
  }
  return found
}

/** `admin` may do what every other scope may. */
export const mayUse = ({ scopes }: KeyHolder, anyOf: readonly Scope[]): boolean =>
  scopes.has('admin') || anyOf.some((scope) => scopes.has(scope))

/**
 * Gives an event its priority: its own, else that of the header `X-Priority`, of the key, of the door, and never one that
 * is higher than its key may have. What is no event, or has a priority that is none, stays as it is: it is refused later.
 */
export function createPrioritise(
  doors: Readonly<Record<string, number>>,
  holderOf: (request: FastifyRequest) => KeyHolder | undefined,
): <Given>(event: Given, request: FastifyRequest) => Given {
  return (event, request) => {
    const { priority, maxPriority = 100 } = holderOf(request) ?? {}
    const usual = askedPriority(request) ?? priority ?? doors[request.routeOptions.config.door ?? '']
    if (!isEvent(event)) return event
    const own = event.priority instanceof LongNumber ? Number(event.priority) : event.priority
    const wanted = own ?? usual
    if (!isPriority(wanted)) return event
    const given = Math.min(wanted, maxPriority)
    return given === own ? event : { ...event, priority: given }
  }
}

const isEvent = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function askedPriority({ headers }: FastifyRequest): number | undefined {
  const given = headers['x-priority']
  if (given === undefined || given === '') return undefined
  const priority = typeof given === 'string' && /^[+-]?\d{1,3}$/.test(given) ? Number(given) : undefined
  if (isPriority(priority)) return priority
  throw new RequestProblem({
    code: 'invalid_request',
    details: 'X-Priority must be a whole number from -100 to 100; higher goes first.',
  })
}

/** `Authorization: Bearer …`, or `X-API-Key: …`. */
function presentedKey({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | undefined {
  const bearer = authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
  return bearer ?? (typeof apiKey === 'string' ? apiKey : undefined)
}
