import { isIP } from 'node:net'
import * as v from 'valibot'

// `@ai-ticket/tickets` has the last word on all of these; loading it only to read a configuration would take too long.

const ALLOW_EXPECTED = 'a list of addresses like https://hooks.example.com/*'
const NETWORKS_EXPECTED = 'a list of networks like 192.168.0.0/16'
const SECRETS_EXPECTED = 'one or more secrets, comma separated: whsec_ and 24 to 64 bytes as base64'

const PATTERN =
  /^https?:\/\/(?:\*|(?:\*\.)?(?:\[[^\]/?#@\s]+\]|[^[\]:*/?#@\s]+))(?::\d{1,5})?(?:\/[^*?#\s]*\*?)?$/i

const isPattern = (text: string): boolean =>
  PATTERN.test(text) && URL.canParse(text.replace(/\/\/\*(\.)?/, (_all, dot) => (dot ? '//' : '//any')))

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32))
}

function isSecret(text: string): boolean {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const { length } = Buffer.from(encoded, 'base64')
  return length >= 24 && length <= 64
}

const listOf = (check: (text: string) => boolean, expected: string) =>
  v.array(v.pipe(v.string(expected), v.check(check, expected)), expected)

export const CallbackAllowSchema = listOf(isPattern, ALLOW_EXPECTED)

export const CallbackPrivateSchema = listOf(isNetwork, NETWORKS_EXPECTED)

export const CallbackSecretSchema = v.pipe(
  listOf(isSecret, SECRETS_EXPECTED),
  v.minLength(1, SECRETS_EXPECTED),
)
