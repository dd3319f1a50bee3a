import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Who may ask. Keys are kept as SHA-256 digests only. */
export interface Keyring {
  /** The name of the caller's key, fit for logs; undefined if it carries none of ours. */
  verify(headers: IncomingHttpHeaders): string | undefined
}

interface StoredKey {
  readonly digest: Buffer
  readonly name: string
}

const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer')

export function createKeyring(apiKeys: readonly string[]): Keyring {
  const stored: readonly StoredKey[] = apiKeys.map((key) => {
    const digest = digestOf(key)
    return { digest, name: `key_${digest.toString('hex').slice(0, 8)}` }
  })
  // A request is asked about twice: may it pass, and whose is it.
  const known = new WeakMap<IncomingHttpHeaders, string>()
  return {
    verify(headers) {
      const presented = presentedKey(headers)
      if (presented === undefined) return undefined
      const name = known.get(headers) ?? nameOf(stored, digestOf(presented))
      if (name !== undefined) known.set(headers, name)
      return name
    },
  }
}

/** Compares with every key, so that the time says neither which one it was nor how far it matched. */
function nameOf(stored: readonly StoredKey[], digest: Buffer): string | undefined {
  let name: string | undefined
  for (const key of stored) {
    if (timingSafeEqual(key.digest, digest)) name = key.name
  }
  return name
}

/** `Authorization: Bearer …`, or `X-API-Key: …`. */
function presentedKey({ authorization, 'x-api-key': apiKey }: IncomingHttpHeaders): string | undefined {
  const bearer = authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
  return bearer ?? (typeof apiKey === 'string' ? apiKey : undefined)
}
