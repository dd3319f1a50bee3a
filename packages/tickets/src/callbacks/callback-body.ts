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
