import type { IncomingMessage } from 'node:http'

const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i

/**
 * The address of a request without a host. Proxies may ask with the whole address; then that names the host, whatever the
 * header says (RFC 9112, 3.2.2), and is put in its place. So keys, limits and the check of the host meet one form only.
 */
export function toOriginForm(request: Pick<IncomingMessage, 'url' | 'headers'>): string {
  const { url = '/' } = request
  if (url.startsWith('/')) return url
  const [, host, path = ''] = ABSOLUTE.exec(url) ?? []
  if (host === undefined) return url
  request.headers.host = host
  return path.startsWith('/') ? path : `/${path}`
}
