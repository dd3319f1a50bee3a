import { hash } from 'node:crypto'
import type { ApiKey, RateLimit, Scope } from '@ai-ticket/http-server'
import * as v from 'valibot'
import { type ConfigProblem, type Origin, problemsOf } from './config-problems.ts'
import { asList, closedObject, describe, setting, text, wholeNumber } from './schema-parts.ts'

const SCOPES = ['events', 'read', 'admin'] as const satisfies readonly Scope[]

const KEYS_EXPECTED = 'one or more keys, comma separated: <key>, <name>=<key> or <name>:<scope>+<scope>=<key>'
const KEY_EXPECTED =
  'a key of visible ASCII characters, or sha256: and the 64 hexadecimal digits of its digest'
const NAME_EXPECTED = 'a name of letters, digits, ".", "_" and "-", at most 64'
const SCOPES_EXPECTED = `one or more of ${SCOPES.join(', ')}`

const KeySchema = v.pipe(
  v.string(KEY_EXPECTED),
  v.regex(/^[\x21-\x7e]+$/, KEY_EXPECTED),
  v.regex(/^(?!sha256:)|^sha256:[0-9a-f]{64}$/i, KEY_EXPECTED),
)
const NameSchema = v.pipe(
  v.string(NAME_EXPECTED),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, NAME_EXPECTED),
)
const ScopesSchema = v.pipe(
  v.array(v.picklist(SCOPES, SCOPES_EXPECTED), SCOPES_EXPECTED),
  v.minLength(1, SCOPES_EXPECTED),
)

/** Keys as the server takes them. */
export const ApiKeysSchema = v.pipe(
  v.array(
    v.object({ key: KeySchema, name: v.exactOptional(NameSchema), scopes: v.exactOptional(ScopesSchema) }),
    KEYS_EXPECTED,
  ),
  v.minLength(1, KEYS_EXPECTED),
  v.checkItems(isFirstOfItsKind, 'a key that no other entry has'),
)

function isFirstOfItsKind({ key }: Pick<ApiKey, 'key'>, index: number, all: Pick<ApiKey, 'key'>[]): boolean {
  return all.findIndex((other) => digestOf(other.key) === digestOf(key)) === index
}

const digestOf = (key: string): string =>
  key.startsWith('sha256:') ? key.slice('sha256:'.length).toLowerCase() : hash('sha256', key)

const RATE_EXPECTED =
  'off, or a rate like 60/min, 5/s or 1000/h, with a burst after it if you like: 60/min burst 10'

const RATE = /^([1-9]\d{0,8})\/(s|min|m|h|d)(?: burst ([1-9]\d{0,8}))?$/

export const RateLimitSchema = v.pipe(
  v.string(RATE_EXPECTED),
  v.regex(new RegExp(`^off$|${RATE.source}`), RATE_EXPECTED),
)

const priority = wholeNumber(-100, 100)

const ofDoor = (address: string) => setting(priority, `Of events that come in by ${address}.`)

/** What events get that name no priority, by the API they come in by, as logs and metrics name it. */
export const PrioritiesSchema = closedObject(
  {
    event: ofDoor('POST /event'),
    tickets: ofDoor('POST /tickets'),
    openai: ofDoor('/v1/chat/completions and /v1/completions'),
    responses: ofDoor('/v1/responses'),
    anthropic: ofDoor('/v1/messages'),
    kobold: ofDoor("KoboldCPP's API"),
  },
  'priorities of APIs, like kobold=10,responses=-5',
)

/** `kobold=10,responses=-5`. What is wrong in it is left in, for the schema to refuse. */
export const readPriorities = (text: string): unknown =>
  Object.fromEntries(
    asList(text).map((entry) => {
      const [door = '', ...rest] = entry.split('=').map((part) => part.trim())
      const given = rest.join('=')
      return [door, /^[+-]?\d{1,3}$/.test(given) ? Number(given) : given]
    }),
  )

const DIGEST_EXPECTED = 'the 64 hexadecimal digits of a SHA-256'

/** A key as the file describes it: without the key. */
const ListedKeySchema = closedObject(
  {
    name: describe(NameSchema, 'Whose key it is, in logs, in the waiting line and on tickets.'),
    scopes: setting(
      ScopesSchema,
      'What it may do: events, read, admin. Default: admin, which is everything.',
    ),
    key_env: setting(
      text('the name of an environment variable'),
      'The environment variable that holds the key, or sha256: and its digest.',
    ),
    sha256: setting(
      v.pipe(v.string(DIGEST_EXPECTED), v.regex(/^[0-9a-fA-F]{64}$/, DIGEST_EXPECTED)),
      'In place of key_env: the SHA-256 of the key, in hexadecimal digits.',
    ),
    rate_limit: setting(
      RateLimitSchema,
      'How many requests it may send, in place of the general rate_limit.',
    ),
    priority: setting(
      priority,
      'Of its events that name no priority; higher goes first. Default: what priorities says of their API.',
    ),
    max_priority: setting(
      priority,
      'The highest priority that its events get, whatever they ask for. Default: 100.',
    ),
  },
  'an API key, which is an object with name and key_env or sha256',
)

const LISTED_EXPECTED = 'a list of at least one API key'

export const ListedKeysSchema = v.pipe(
  v.array(ListedKeySchema, LISTED_EXPECTED),
  v.minLength(1, LISTED_EXPECTED),
)

type ListedKey = v.InferOutput<typeof ListedKeySchema>

const NAMED = /^([A-Za-z0-9._-]+)?(?::([^=]*))?=(.*)$/
/** An entry whose key was forgotten: it must not become a key itself. */
const SCOPES_ALONE = /^([A-Za-z0-9._-]*):((?:events|read|admin)(?:\+(?:events|read|admin))*)$/

/**
 * An entry of `AI_TICKET_API_KEYS`: `key`, `name=key` or `name:scope+scope=key`, where the key may be `sha256:` and its
 * digest. What is wrong in it is left in, for the schema to refuse.
 */
export function readApiKey(text: string): ApiKey {
  if (text.startsWith('sha256:') || isPaddedBase64(text)) return { key: text }
  const [, name, scopes, key] = NAMED.exec(text) ?? SCOPES_ALONE.exec(text) ?? []
  if (name === undefined && scopes === undefined) return { key: text }
  return {
    key: key ?? '',
    ...(name === undefined ? {} : { name }),
    ...(scopes === undefined ? {} : { scopes: scopes.split('+') as Scope[] }),
  }
}

/** A key like those of `openssl rand -base64 16`; shorter, it is a name whose key was left empty. */
const isPaddedBase64 = (text: string): boolean => text.length % 4 === 0 && /^[\w+/-]{22,}={1,2}$/.test(text)

interface KeySources {
  readonly listed: readonly ListedKey[]
  readonly origin: Origin & { readonly name: string }
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The keys that the file lists, with the values of the variables that it names. */
export function resolveListedKeys({ listed, origin, environment }: KeySources): {
  readonly keys: ApiKey[]
  readonly problems: ConfigProblem[]
} {
  const problems: ConfigProblem[] = []
  const keys = listed.map(
    ({ key_env: variable, sha256, rate_limit: limit, max_priority: maxPriority, ...rest }, index): ApiKey => {
      const place = `api_keys[${index}]`
      if ((variable === undefined) === (sha256 === undefined)) {
        const message = `${place} in ${origin.name} needs either "key_env" or "sha256". Keep one of them.`
        problems.push({ key: place, message })
      } else if (variable !== undefined && environment[variable] === undefined) {
        const message = `${place}.key_env in ${origin.name} names the variable ${variable}, which is not set. Set it, or remove the entry.`
        problems.push({ key: `${place}.key_env`, message })
      }
      return {
        ...rest,
        key: sha256 === undefined ? (environment[variable ?? ''] ?? '') : `sha256:${sha256}`,
        ...(limit === undefined ? {} : { rateLimit: parseRateLimit(limit) }),
        ...(maxPriority === undefined ? {} : { maxPriority }),
      }
    },
  )
  if (problems.length > 0) return { keys, problems }
  const parsed = v.safeParse(ApiKeysSchema, keys, { abortPipeEarly: true })
  return { keys, problems: parsed.success ? [] : problemsOf(parsed.issues, origin, 'api_keys') }
}

/** A key in plain text with this scope, for a command that asks the server; undefined where only digests are known. */
export const keyWith = (keys: readonly ApiKey[], scope: Scope): string | undefined =>
  keys.find(({ key, scopes = ['admin'] }) => {
    return !key.startsWith('sha256:') && (scopes.includes(scope) || scopes.includes('admin'))
  })?.key

const WINDOW_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** The limit that a text stands for, which the schema has taken; false: none. */
export function parseRateLimit(text: string): RateLimit | false {
  const [, requests, unit = '', burst] = RATE.exec(text) ?? []
  if (requests === undefined) return false
  return {
    requests: Number(requests),
    windowMs: WINDOW_MS[unit] ?? 1_000,
    ...(burst === undefined ? {} : { burst: Number(burst) }),
  }
}

const ORIGINS_EXPECTED = 'a list of origins like https://app.example.com, without a path and without *'

/** As browsers send it. `@ai-ticket/http-server` has the last word. */
function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*\\]+$/.test(text)) return false
  return !/^https?:/.test(text) || (URL.canParse(text) && new URL(text).origin === text)
}

/** Whose pages may ask from a browser. */
export const OriginsSchema = v.array(
  v.pipe(v.string(ORIGINS_EXPECTED), v.check(isOrigin, ORIGINS_EXPECTED)),
  ORIGINS_EXPECTED,
)
