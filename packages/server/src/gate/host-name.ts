import { isIP } from 'node:net'

/** The name in a `Host` header, lower case, without port, brackets and final dot. */
export function hostNameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '')
  return name.toLowerCase().replace(/\.$/, '')
}

/**
 * Names that a page from elsewhere cannot be loaded from: `localhost` and what is under it, and addresses. DNS
 * rebinding needs a *name* that the attacker can point at us; a `Host` that is an address shows there was none.
 */
export const isSafeFromRebinding = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0
