import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { AddressGuard } from './address-guard.ts'

export type Lookup = (
  hostname: string,
  options: { readonly all: true; readonly family?: number | 'IPv4' | 'IPv6'; readonly hints?: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A name that stands for an address where no callback may go. */
export class BlockedAddress extends Error {
  override readonly name = 'BlockedAddress'
}

/**
 * Finds the addresses of a name at the moment in which one of them is dialled, so that a name that means something else
 * by then than when it was checked gains nothing. One blocked address among many is enough to refuse. Sockets do not ask
 * for addresses that stand in the URL as numbers: those are checked before.
 */
export function createGuardedLookup(isBlocked: AddressGuard, lookup: Lookup = systemLookup): LookupFunction {
  return (hostname, { family, hints, all }, callback) => {
    const options = { ...(family === undefined ? {} : { family }), ...(hints === undefined ? {} : { hints }) }
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, [])
      if (addresses.some(({ address }) => isBlocked(address))) {
        return callback(new BlockedAddress('The name stands for a blocked address.'), [])
      }
      if (all) return callback(null, addresses)
      const [first] = addresses
      callback(null, first?.address ?? '', first?.family)
    })
  }
}
