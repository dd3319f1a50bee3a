/** Ends of addresses that users copy: the API's roots and the endpoints themselves. */
const KNOWN_ENDS =
  /\/(?:api\/v1\/generate|api\/extra\/generate\/stream|(?:v1\/)?chat\/completions|v1\/completions|api\/extra|api\/v1|api|v1)$/

/**
 * The address under which a KoboldCPP server's paths lie, from any form users write: with or without `/api`, `/v1`,
 * a trailing slash or the scheme, behind a path prefix, or the address of its web page. Throws a `TypeError`.
 */
export function readBaseUrl(value: unknown): string {
  const url = parse(value)
  if (url.username || url.password) {
    throw new TypeError('url must not hold a user name or password; give the password as apiKey')
  }
  return url.origin + trimPath(url.pathname)
}

function parse(value: unknown): URL {
  const text = typeof value === 'string' ? value.trim() : ''
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = text !== '' && URL.canParse(address) ? new URL(address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new TypeError('url must be an http or https address, for instance http://localhost:5001/api')
  }
  return url
}

function trimPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const shorter = trimmed.replace(KNOWN_ENDS, '')
  return shorter === trimmed ? trimmed : trimPath(shorter)
}
