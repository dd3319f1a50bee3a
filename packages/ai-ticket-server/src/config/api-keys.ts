import type { ApiKey, Scope } from '@ai-ticket/server'
import * as v from 'valibot'
import { ApiKeysSchema, type ListedKey } from './api-key-schema.ts'
import { type ConfigProblem, type Origin, problemsOf } from './config-problems.ts'
import { parseRateLimit } from './rate-limit-text.ts'

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

const NAMED = /^([A-Za-z0-9._-]+)?(?::([^=]*))?=(.*)$/
/** The key was forgotten: this must not become one. */
const SCOPES_ALONE = /^([A-Za-z0-9._-]*):((?:events|read|admin)(?:\+(?:events|read|admin))*)$/

/** A key like those of `openssl rand -base64 16`; shorter, it is a name whose key was left empty. */
const isPaddedBase64 = (text: string): boolean => text.length % 4 === 0 && /^[\w+/-]{22,}={1,2}$/.test(text)

export interface KeySources {
  readonly listed: readonly ListedKey[]
  readonly origin: Origin & { readonly name: string }
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The keys that the file lists, with the variables that it names looked up. */
export function resolveListedKeys({ listed, origin, environment }: KeySources): {
  readonly keys: ApiKey[]
  readonly problems: ConfigProblem[]
} {
  const problems: ConfigProblem[] = []
  const keys = listed.map(({ key_env: variable, sha256, rate_limit: limit, ...rest }, index): ApiKey => {
    const place = `api_keys[${index}]`
    if ((variable === undefined) === (sha256 === undefined)) {
      const message = `${place} in ${origin.name} has to have either "key_env" or "sha256". Keep one of them.`
      problems.push({ key: place, message })
    } else if (variable !== undefined && environment[variable] === undefined) {
      const message = `${place}.key_env in ${origin.name} names the variable ${variable}, which is not set. Set it, or remove the entry.`
      problems.push({ key: `${place}.key_env`, message })
    }
    return {
      ...rest,
      key: sha256 === undefined ? (environment[variable ?? ''] ?? '') : `sha256:${sha256}`,
      ...(limit === undefined ? {} : { rateLimit: parseRateLimit(limit) }),
    }
  })
  if (problems.length > 0) return { keys, problems }
  const parsed = v.safeParse(ApiKeysSchema, keys, { abortPipeEarly: true })
  return { keys, problems: parsed.success ? [] : problemsOf(parsed.issues, origin, 'api_keys') }
}

/** A key in plain text with this scope, for a command that asks the server; undefined where only digests are known. */
export const keyWith = (keys: readonly ApiKey[], scope: Scope): string | undefined =>
  keys.find(({ key, scopes = ['admin'] }) => {
    return !key.startsWith('sha256:') && (scopes.includes(scope) || scopes.includes('admin'))
  })?.key
