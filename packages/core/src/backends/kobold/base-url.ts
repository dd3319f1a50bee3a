import { parseAddress } from '../http/parse-address.ts'

/** Ends of addresses that users copy: the API's roots and the endpoints themselves. */
const KNOWN_ENDS =
  /\/(?:api\/v1\/generate|api\/extra\/generate\/stream|(?:v1\/)?chat\/completions|v1\/completions|api\/extra|api\/v1|api|v1)$/

/**
 * The address under which a KoboldCPP server's paths lie, from any form users write: with or without `/api`, `/v1`,
 * a trailing slash or the scheme, behind a path prefix, or the address of its web page. Throws a `TypeError`.
 */
export function readBaseUrl(value: unknown): string {
  const url = parseAddress(value, 'http://localhost:5001/api')
  return url.origin + trimPath(url.pathname)
}

function trimPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const shorter = trimmed.replace(KNOWN_ENDS, '')
  return shorter === trimmed ? trimmed : trimPath(shorter)
}
