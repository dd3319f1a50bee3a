/**
 * Host and port of an address, for what is counted and limited by receiver. Nothing else of it is fit for a log. Of what
 * is no address: nothing, for the end of a ticket must not fail with it; the sender refuses it then.
 */
export function hostOf(address: string): string {
  const url = URL.parse(address)
  if (url === null) return ''
  return `${url.hostname}:${url.port || (url.protocol === 'http:' ? 80 : 443)}`
}
