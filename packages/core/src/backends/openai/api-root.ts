import { parseAddress } from '../http/parse-address.ts'

/** Where the paths of an OpenAI-compatible server lie. */
export interface ApiRoot {
  /** Scheme, host, port and path prefix, without a slash at the end: what lies beside the API. */
  readonly server: string
  /** What comes before `/chat/completions`; `/v1` nearly everywhere. */
  readonly api: string
}

/** The endpoints themselves, as users copy them. */
const KNOWN_ENDS = /\/(?:chat\/completions|completions|models)$/

/** `/v1`, `/v4`, and what Google calls `/v1beta/openai`. */
const VERSION = /\/v\d[^/]*(?:\/.*)?$/

/**
 * Reads the address in any form users write: with or without `/v1`, a trailing slash, the scheme or the endpoint.
 * A path that names another version is taken as it is; one that names none gets `/v1`. Throws a `TypeError`.
 */
export function readApiRoot(value: unknown): ApiRoot {
  const url = parseAddress(value, 'http://localhost:8080/v1')
  if (url.search) throw new TypeError('url must not hold a query; give the address up to /v1')
  const path = url.pathname.replace(/\/+$/, '').replace(KNOWN_ENDS, '')
  const api = VERSION.exec(path)?.[0]
  return api === undefined
    ? { server: url.origin + path, api: '/v1' }
    : { server: url.origin + path.slice(0, -api.length), api }
}
