import { BlockList, isIP } from 'node:net'

/** For `createCallbackPolicy`. */
export interface CallbackPolicyOptions {
  /** Addresses that callers may name, like `https://hooks.example.com/*`. `http:` only where an entry says so. */
  readonly allow: readonly string[]
  /** Private networks that may still be called, as CIDRs. Default: none. */
  readonly privateNetworks?: readonly string[]
}

/** `not_allowed`: the list does not hold the address, or it is none. `blocked`: it leads into a private network. */
export type CallbackCheck =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly error: 'not_allowed' | 'blocked'; readonly details: string }

/** Which callbacks the operator wants sent. Looked at when an event is accepted, and again before each attempt. */
export interface CallbackPolicy {
  /**
   * Looks at an address as its caller wrote it. A host name is looked up, and looked at, only when the callback is
   * sent.
   */
  check(url: string): CallbackCheck
  /** Whether an IP address belongs to a private network that may not be called. */
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

/** Says of an address whether a callback may go there. */
export type AddressGuard = (address: string) => boolean

/**
 * The networks that are not the public internet: this host, private and shared networks, link-local with the metadata services of
 * clouds, multicast, reserved; and the IPv6 forms that stand for an IPv4 address of those.
 */
const NOT_PUBLIC: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
  // `::/96` holds `::` and `::1`.
  ...['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2002::/16'],
  ...['fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
]

/** True: blocked. `allowed` are CIDRs or single addresses that may still be called. Throws a `TypeError`. */
function createAddressGuard(allowed: readonly string[] = []): AddressGuard {
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
      throw new TypeError(`"${network}" is not a network. Write it like 192.168.0.0/16.`)
    }
    list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

/** One line of the operator's list, taken apart. */
interface AllowEntry {
  readonly protocol: string
  /** Empty: any. With a dot in front: any name that ends so. */
  readonly hostname: string
  readonly port: string
  readonly path: { readonly type: 'any' } | { readonly type: 'exact' | 'prefix'; readonly text: string }
}

const PATTERN =
  /^(https?:)\/\/(\*|(?:\*\.)?(?:\[[^\]/?#@\s]+\]|[^[\]:*/?#@\s]+))(:\d{1,5})?(\/[^*?#\s]*)?(\*)?$/i

/**
 * Reads `https://hooks.example.com/*`: a scheme, a host (`*.example.com` for all names below it, `*` for any), a port
 * where it is not the usual one, and a path, whose last `*` stands for any rest; none is any path. Throws a `TypeError`.
 */
function parseAllowEntry(pattern: string): AllowEntry {
  const [, protocol = '', host = '', port = '', path, star] = PATTERN.exec(pattern) ?? []
  const isWild = host.startsWith('*')
  const name = host.replace(/^\*\.?/, '') || 'any'
  if (protocol === '' || (star && path === undefined) || !URL.canParse(`${protocol}//${name}${port}`)) {
    throw new TypeError(
      `The list of allowed callbacks holds "${pattern}"; it has to be like https://hooks.example.com/*.`,
    )
  }
  const url = new URL(`${protocol}//${name}${port}${path ?? '/'}`)
  return {
    protocol: url.protocol,
    hostname: host === '*' ? '' : isWild ? `.${url.hostname}` : url.hostname,
    port: url.port,
    path: path === undefined ? { type: 'any' } : { type: star ? 'prefix' : 'exact', text: url.pathname },
  }
}

/** The query is not looked at: it belongs to the caller who gave the address. */
function isAllowedBy({ protocol, hostname, port, path }: AllowEntry, url: URL): boolean {
  if (url.protocol !== protocol || url.port !== port) return false
  if (hostname.startsWith('.') ? !url.hostname.endsWith(hostname) : hostname && url.hostname !== hostname) {
    return false
  }
  if (path.type === 'any') return true
  if (path.type === 'exact') return url.pathname === path.text
  return (
    url.pathname.startsWith(path.text) && asServersReadIt(url.pathname).startsWith(asServersReadIt(path.text))
  )
}

/** Servers in front of others decode a path, some of them twice: `..%2f` and `%5c..` leave the folder there. */
const MOST_DECODINGS = 4

/** A path without any disguise. Empty: it cannot be told. */
function asServersReadIt(pathname: string): string {
  let path = pathname
  for (let round = 0; round < MOST_DECODINGS; round++) {
    const decoded = path.replace(/%[0-9a-f]{2}/gi, (code) =>
      String.fromCharCode(Number.parseInt(code.slice(1), 16)),
    )
    if (decoded === path) break
    path = decoded
  }
  if (/%(?:2e|2f|5c|25)/i.test(path)) return ''
  const segments: string[] = []
  for (const segment of path.replaceAll('\\', '/').split('/').slice(1)) {
    // Some servers take what follows a semicolon for a parameter of the segment.
    const name = segment.split(';', 1)[0]
    if (name === '..') segments.pop()
    else if (name !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`
}
