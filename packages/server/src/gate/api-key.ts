import { hash } from 'node:crypto'
import { type RateLimit, rateLimitProblem } from './rate-limit.ts'

const SCOPES = ['events', 'read', 'admin'] as const
/**
 * What a key may do. `events`: send events, also in OpenAI's dialect and as tickets, and see and cancel its own tickets.
 * `read`: see all tickets, the backends and the metrics. `admin`: everything, on everybody's tickets.
 */
export type Scope = (typeof SCOPES)[number]

/** A key that callers may show, and what it opens. */
export interface ApiKey {
  /** As callers show it, or `sha256:` and the 64 hexadecimal digits of its SHA-256. */
  readonly key: string
  /**
   * The name of its holder in logs, in the waiting line and on tickets; keys of one name share these. Default: `key_` and the
   * beginning of the digest.
   */
  readonly name?: string
  /** Default: `admin`, which is everything. */
  readonly scopes?: readonly Scope[]
  /** Instead of the limit of the server; false is none. */
  readonly rateLimit?: RateLimit | false
  /** Of its events that name no priority, from -100 to 100. Default: that of the door, or 0. */
  readonly priority?: number
  /** The highest priority that its events get, whatever they ask for. Default 100. */
  readonly maxPriority?: number
}

const KEY = /^[\x21-\x7e]+$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const DIGEST_PREFIX = 'sha256:'
const DIGEST = /^sha256:[0-9a-f]{64}$/i

/** Of a key as it is configured. */
export const digestOf = (key: string): Buffer =>
  DIGEST.test(key) ? Buffer.from(key.slice(DIGEST_PREFIX.length), 'hex') : sha256(key)

/** Of a key as a caller shows it: a digest is then a key like any other, and opens nothing. */
export const sha256 = (key: string): Buffer => hash('sha256', key, 'buffer')

interface ApiKeyProblem {
  readonly index: number
  /** Worded to follow the place of the key. Never quotes one. */
  readonly message: string
}

/** What is wrong with these keys: at most one problem for each. */
export function apiKeyProblems(keys: readonly ApiKey[]): ApiKeyProblem[] {
  const earlier = new Set<string>()
  return keys.flatMap((key, index) => {
    const digest = digestOf(key.key).toString('hex')
    const message = faultOf(key) ?? (earlier.has(digest) ? 'is a key that an earlier entry has.' : undefined)
    earlier.add(digest)
    return message === undefined ? [] : [{ index, message }]
  })
}

function faultOf({ key, name, scopes, rateLimit, priority, maxPriority }: ApiKey): string | undefined {
  if (!KEY.test(key)) return 'is empty or holds characters that a header cannot carry.'
  if (key.startsWith(DIGEST_PREFIX) && !DIGEST.test(key))
    return 'begins with sha256:, but 64 hexadecimal digits do not follow.'
  if (name !== undefined && !NAME.test(name))
    return 'has a name that is not 1 to 64 letters, digits, ".", "_" and "-".'
  if (scopes !== undefined && (scopes.length === 0 || !scopes.every(isScope)))
    return `has an unknown scope, or none. Scopes are ${SCOPES.join(', ')}.`
  if (![priority, maxPriority].every((one) => one === undefined || isPriority(one)))
    return 'has a priority or maxPriority that is not a whole number from -100 to 100.'
  const problem = rateLimit ? rateLimitProblem(rateLimit) : undefined
  return problem && `has a rateLimit that ${problem}`
}

/** Whether an event may have it. */
export const isPriority = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 100

const isScope = (scope: string): boolean => SCOPES.some((one) => one === scope)
