import { createHmac } from 'node:crypto'

export interface SignedContent {
  /** Without a dot. */
  readonly id: string
  /** Milliseconds since 1970, of the attempt. */
  readonly at: number
  readonly body: string
}

/** The headers that prove that a callback is ours: Standard Webhooks 1.0.0, version 1 (HMAC-SHA256), one signature for each key. */
export function signCallback(
  keys: readonly Buffer[],
  { id, at, body }: SignedContent,
): Record<string, string> {
  const timestamp = String(Math.floor(at / 1_000))
  const content = `${id}.${timestamp}.${body}`
  const signatures = keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}

/** The key in a secret `whsec_…`: 24 to 64 bytes. Throws a `TypeError`, without the secret. */
export function keyOfSecret(secret: string): Buffer {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const key = Buffer.from(encoded ?? '', 'base64')
  if (key.length >= 24 && key.length <= 64) return key
  throw new TypeError('A callback secret has to be whsec_ and 24 to 64 bytes as base64.')
}
