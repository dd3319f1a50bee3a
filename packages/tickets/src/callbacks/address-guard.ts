import { BlockList, isIP } from 'node:net'

/** Says of an address whether a callback may go there. */
export type AddressGuard = (address: string) => boolean

/**
 * What is not the public internet: this host, private and shared networks, link-local with the metadata services of
 * clouds, multicast, reserved; and the IPv6 forms that stand for an IPv4 address of those.
 */
const NOT_PUBLIC: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
  // `::/96` holds `::` and `::1`.
  ...['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2002::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
]

/** True: blocked. `allowed` are CIDRs or single addresses that are reachable all the same. Throws a `TypeError`. */
export function createAddressGuard(allowed: readonly string[] = []): AddressGuard {
  const denied = listOf(NOT_PUBLIC)
  const excepted = listOf(allowed)
  return (address) => {
    const version = isIP(address)
    if (version === 0) return true
    const family = version === 6 ? 'ipv6' : 'ipv4'
    return denied.check(address, family) && !excepted.check(address, family)
  }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits, ...more] = network.split('/')
    const version = isIP(address)
    const most = version === 6 ? 128 : 32
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
    if (version === 0 || more.length > 0 || !(prefix <= most)) {
      throw new TypeError(`"${network}" is no network; it has to be like 192.168.0.0/16.`)
    }
    list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
