import { createHmac } from 'node:crypto'
import type { Ticket } from '../ticket/ticket.ts'

/** `thin`: what has ended and how. `full`: with the whole outcome, prompts excepted. */
export type CallbackContent = 'thin' | 'full'

/** Receivers expect a small body; the metadata of an event may be large. */
const MOST_METADATA = 8_192

/** The body of a callback, as JSON: the same bytes for every attempt. */
export function callbackBody(ticket: Ticket, content: CallbackContent): string {
  const { id, eventId, createdAt, startedAt, replayOf, state } = ticket
  if (!('outcome' in state)) throw new TypeError(`The ticket ${id} has not ended.`)
  const { status, outcome, finishedAt } = state
  return JSON.stringify({
    type: `ticket.${status}`,
    timestamp: iso(finishedAt),
    data: {
      id,
      object: 'ticket',
      event_id: eventId,
      status,
      created_at: iso(createdAt),
      started_at: startedAt === undefined ? null : iso(startedAt),
      finished_at: iso(finishedAt),
      ...(outcome.error === undefined ? {} : { error: outcome.error }),
      ...(replayOf === undefined ? {} : { replay_of: replayOf }),
      ...metadataOf(ticket),
      ...(content === 'full' ? { outcome } : {}),
      links: { self: `/tickets/${id}` },
    },
  })
}

function metadataOf({ event }: Ticket): { metadata?: unknown } {
  const metadata = event?.metadata
  if (metadata == null || JSON.stringify(metadata).length > MOST_METADATA) return {}
  return { metadata }
}

const iso = (time: number): string => new Date(time).toISOString()

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
