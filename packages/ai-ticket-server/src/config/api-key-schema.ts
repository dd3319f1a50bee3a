import { hash } from 'node:crypto'
import type { ApiKey, Scope } from '@ai-ticket/server'
import * as v from 'valibot'
import { RateLimitSchema } from './rate-limit-text.ts'
import { closedObject, describe, setting, text } from './schema-parts.ts'

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

type WithKey = Pick<ApiKey, 'key'>

function isFirstOfItsKind({ key }: WithKey, index: number, all: WithKey[]): boolean {
  return all.findIndex((other) => digestOf(other.key) === digestOf(key)) === index
}

const digestOf = (key: string): string =>
  key.startsWith('sha256:') ? key.slice('sha256:'.length).toLowerCase() : hash('sha256', key)

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
  },
  'an API key, which is an object with name and key_env or sha256',
)

const LISTED_EXPECTED = 'a list of at least one API key'

export const ListedKeysSchema = v.pipe(
  v.array(ListedKeySchema, LISTED_EXPECTED),
  v.minLength(1, LISTED_EXPECTED),
)

export type ListedKey = v.InferOutput<typeof ListedKeySchema>
