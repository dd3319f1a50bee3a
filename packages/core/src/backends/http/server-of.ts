import type { BackendServer } from '../../contract/backend.ts'

/** Host and port of a base URL; a user or a path in it stays out of traces. */
export function serverOf(provider: string, url: string): BackendServer {
  const { hostname, port, protocol } = new URL(url)
  return { provider, address: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}
