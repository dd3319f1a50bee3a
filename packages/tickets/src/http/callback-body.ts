import { type Delivery, type DeliveryError, type DeliveryStatus, webhookIdOf } from '../ticket/delivery.ts'
import { isFinished, type Ticket } from '../ticket/ticket.ts'
import type { TicketStore } from '../ticket/ticket-store.ts'

/** What a ticket says of its callback. Times are ISO 8601. */
export interface CallbackSummary {
  /** Without its query, which may hold secrets. */
  url: string
  /** `waiting`: the ticket has not ended. Absent where nobody has looked. */
  status?: DeliveryStatus | 'waiting'
  attempts: number
  next_attempt_at?: string
  last_error?: { error: DeliveryError; details: string }
}

export interface CallbackBody extends CallbackStateBody {
  object: 'callback'
  ticket_id: string
  /** The `webhook-id` of every attempt. */
  webhook_id: string
  attempts: CallbackAttemptBody[]
}

export interface CallbackAttemptBody {
  at: string
  duration_ms: number
  /** Of the reply; null: there was none. */
  status: number | null
  error?: DeliveryError
  details?: string
}

/** Undefined: nobody wants to be told of its end. */
export function callbackSummary(ticket: Ticket, delivery?: Delivery): CallbackSummary | undefined {
  if (ticket.callbackUrl === undefined) return undefined
  const { error, details = '' } = delivery?.attempts.at(-1) ?? {}
  return {
    ...stateOf(ticket, ticket.callbackUrl, delivery),
    attempts: delivery?.attempts.length ?? 0,
    ...(error === undefined ? {} : { last_error: { error, details } }),
  }
}

/** The same with every attempt. */
export function callbackBody(ticket: Ticket, url: string, delivery?: Delivery): CallbackBody {
  return {
    object: 'callback',
    ticket_id: ticket.id,
    webhook_id: webhookIdOf(ticket.id),
    ...stateOf(ticket, url, delivery),
    attempts: (delivery?.attempts ?? []).map(({ at, durationMs, status = null, error, details }) => ({
      at: iso(at),
      duration_ms: durationMs,
      status,
      ...(error === undefined ? {} : { error }),
      ...(details === undefined ? {} : { details }),
    })),
  }
}

type CallbackStateBody = Omit<CallbackSummary, 'attempts' | 'last_error'>

function stateOf(ticket: Ticket, url: string, delivery: Delivery | undefined): CallbackStateBody {
  const status = isFinished(ticket) ? delivery?.status : 'waiting'
  return {
    url: shownUrl(url),
    ...(status === undefined ? {} : { status }),
    ...(delivery?.status === 'pending' ? { next_attempt_at: iso(delivery.dueAt) } : {}),
  }
}

/** The deliveries of those tickets that have one; nothing is asked of the store where none can have. */
export async function deliveriesFor(
  { callbacks }: Pick<TicketStore, 'callbacks'>,
  tickets: readonly Ticket[],
): Promise<ReadonlyMap<string, Delivery>> {
  const ids = tickets.filter((ticket) => ticket.callbackUrl && isFinished(ticket)).map(({ id }) => id)
  return ids.length === 0 ? new Map() : await callbacks.find(ids)
}

function shownUrl(url: string): string {
  const { origin = '', pathname = '', search = '' } = URL.parse(url) ?? {}
  return `${origin}${pathname}${search === '' ? '' : '?***'}`
}

const iso = (time: number): string => new Date(time).toISOString()
