/**
 * A server's address as users write it: the scheme may be missing (then http). Throws a `TypeError` that shows no
 * credentials; `example` is named in it.
 */
export function parseAddress(value: unknown, example: string): URL {
  const text = typeof value === 'string' ? value.trim() : ''
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = text !== '' && URL.canParse(address) ? new URL(address) : undefined
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new TypeError(`url must be an http or https address, for instance ${example}`)
  }
  if (url.username || url.password) {
    throw new TypeError('url must not hold a user name or password; give the password as apiKey')
  }
  return url
}
