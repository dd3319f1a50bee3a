/** One line of the operator's list, taken apart. */
export interface AllowEntry {
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
export function parseAllowEntry(pattern: string): AllowEntry {
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

/** The query is not looked at: it belongs to whoever gave the address. */
export function isAllowedBy({ protocol, hostname, port, path }: AllowEntry, url: URL): boolean {
  if (url.protocol !== protocol || url.port !== port) return false
  if (hostname.startsWith('.') ? !url.hostname.endsWith(hostname) : hostname && url.hostname !== hostname) {
    return false
  }
  if (path.type === 'any') return true
  return path.type === 'exact' ? url.pathname === path.text : url.pathname.startsWith(path.text)
}
