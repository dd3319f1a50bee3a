/** A value as one header: space, `"`, `%` and all that is not printable ASCII are percent-encoded UTF-8. */
export const encodeHeaderValue = (text: string): string =>
  text.toWellFormed().replace(/[^\x21-\x7e]+|["%]/gu, percentEncode)

const percentEncode = (text: string): string =>
  Buffer.from(text, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&')

const QUOTED = /^"((?:[^"\\]|\\.)*)"$/s
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The value that a header of binary mode stands for: quotes are taken off first, then percent-encoding, once. A `%` that
 * begins none stands for itself, and bytes that came as they are count as UTF-8. Undefined: it is not UTF-8.
 */
export function decodeHeaderValue(header: string): string | undefined {
  const text = QUOTED.exec(header)?.[1]?.replace(/\\(.)/gs, '$1') ?? header
  // Node gives every byte of a header as the character of the same number.
  const bytes = Buffer.from(text.replace(/%([\da-f]{2})/gi, fromHex), 'latin1')
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const fromHex = (_match: string, digits: string): string => String.fromCharCode(Number.parseInt(digits, 16))
