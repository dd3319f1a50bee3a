import { isIP } from 'node:net'
import { type AddressGuard, createAddressGuard } from './address-guard.ts'
import { isAllowedBy, parseAllowEntry } from './allow-entry.ts'

export interface CallbackPolicyOptions {
  /** Addresses that callers may name, like `https://hooks.example.com/*`. `http:` only where an entry says so. */
  readonly allow: readonly string[]
  /** Private networks that may be called all the same, as CIDRs. Default: none. */
  readonly privateNetworks?: readonly string[]
}

export type CallbackCheck =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly error: 'not_allowed' | 'blocked'; readonly details: string }

/** Which callbacks the operator wants sent. Looked at when an event is accepted, and again before each attempt. */
export interface CallbackPolicy {
  check(url: string): CallbackCheck
  readonly isBlocked: AddressGuard
}

const MAX_LENGTH = 2_048

const refuse = (details: string, error: 'not_allowed' | 'blocked' = 'not_allowed'): CallbackCheck => ({
  ok: false,
  error,
  details,
})

/** Throws a `TypeError` that names the entry it cannot read. */
export function createCallbackPolicy({ allow, privateNetworks = [] }: CallbackPolicyOptions): CallbackPolicy {
  const entries = allow.map(parseAllowEntry)
  const isBlocked = createAddressGuard(privateNetworks)

  function check(text: string): CallbackCheck {
    if (text.length > MAX_LENGTH) return refuse(`\`callback_url\` is longer than ${MAX_LENGTH} characters.`)
    const url = URL.parse(text)
    if (url === null) return refuse('`callback_url` is no address like https://hooks.example.com/done.')
    if (url.username !== '' || url.password !== '') {
      return refuse('`callback_url` must hold no name and no password. Callbacks are signed instead.')
    }
    if (url.hash !== '' || text.includes('#')) return refuse('`callback_url` must have no fragment (#…).')
    if (!entries.some((entry) => isAllowedBy(entry, url))) {
      return refuse(
        'This `callback_url` is not among those that the operator allows (AI_TICKET_CALLBACK_ALLOW).',
      )
    }
    // WHATWG URLs have written 0x7f.1 and 2130706433 as 127.0.0.1 by now.
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) !== 0 && isBlocked(host)) {
      return refuse(
        'This `callback_url` is an address of a private network, and none of AI_TICKET_CALLBACK_PRIVATE holds it.',
        'blocked',
      )
    }
    return { ok: true, url }
  }

  return { check, isBlocked }
}
