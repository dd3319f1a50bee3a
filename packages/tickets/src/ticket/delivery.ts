import { readObjects, readTime } from './stored-value.ts'
import { isFinished, type Ticket } from './ticket.ts'

/** `pending`: it is sent, or will be. `dead`: given up; it can be sent again by hand. */
export type DeliveryStatus = 'pending' | 'delivered' | 'dead'

/** Of a delivery. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'dead'] as const

/** What a list says of a callback. `waiting`: its ticket has not ended. */
export const CALLBACK_STATES = [...DELIVERY_STATUSES, 'waiting'] as const

/** Why an attempt was none; `docs/tickets.md` explains them. */
export const DELIVERY_ERRORS = [
  'refused',
  'redirect',
  'gone',
  'timeout',
  'connection',
  'blocked',
  'not_allowed',
] as const

/** One of `DELIVERY_ERRORS`. */
export type DeliveryError = (typeof DELIVERY_ERRORS)[number]

/** One attempt to send a callback. */
export interface DeliveryAttempt {
  /** Milliseconds since 1970. */
  readonly at: number
  /** In milliseconds. */
  readonly durationMs: number
  /** Of the reply, where one came. */
  readonly status?: number
  /** Absent: it was delivered. */
  readonly error?: DeliveryError
  /** In plain words; never what the receiver said. */
  readonly details?: string
}

/** From a row of any store. Reads any row, as `createTicketColumns` does; only texts are stored differently. */
export const deliveryOf = (row: Readonly<Record<string, unknown>>, url: string): Delivery => ({
  ticketId: String(row.ticket_id),
  url,
  status: row.status === 'pending' || row.status === 'delivered' ? row.status : 'dead',
  dueAt: readTime(row.due_at) ?? 0,
  pausedAt: readTime(row.paused_at) ?? 0,
  token: Number(row.token),
  tries: Number(row.tries),
  attempts: readObjects(row.attempts).map((attempt) => ({
    // Only the store writes them, and they are only shown.
    ...(attempt as unknown as DeliveryAttempt),
    at: readTime(attempt.at) ?? 0,
  })),
})

/** The news that a ticket has ended, on its way to the `callback_url`. A value: transitions give back a new one. */
export interface Delivery {
  /** A ticket has one delivery at most. */
  readonly ticketId: string
  /** The whole address, secrets in its query included. */
  readonly url: string
  /** `dead`: given up, until it is asked to be sent again. */
  readonly status: DeliveryStatus
  /** Milliseconds since 1970: when it is sent next; while it is being sent, when it counts as abandoned. */
  readonly dueAt: number
  /** When that wait began: one that begins in the future means that the clock was set back, and it is due. */
  readonly pausedAt: number
  /** Grows with every claim; a sender with an older one has lost the delivery. */
  readonly token: number
  /** Attempts since the ticket ended, or since it was last asked to be sent again. */
  readonly tries: number
  /** Of all rounds, the newest last; the oldest are dropped. */
  readonly attempts: readonly DeliveryAttempt[]
}

/** The fate of a delivery after an attempt. */
export type Verdict =
  | { readonly status: 'delivered' | 'dead' }
  | { readonly status: 'pending'; readonly retryInMs: number }

/** A hundred attempts are ten whole rounds. */
const ATTEMPTS_KEPT = 100

/** The same for every attempt, so that a receiver recognises a repeat. Without the dot that a signature forbids. */
export const webhookIdOf = (ticketId: string): string => ticketId.replace(/^tkt_/, 'msg_')

/** The delivery of a ticket that has just ended; undefined: it has no `callback_url`. */
function openDelivery({ id, callbackUrl, state }: Ticket): Delivery | undefined {
  if (callbackUrl === undefined || !('finishedAt' in state)) return undefined
  return {
    ticketId: id,
    url: callbackUrl,
    status: 'pending',
    dueAt: state.finishedAt,
    pausedAt: state.finishedAt,
    token: 0,
    tries: 0,
    attempts: [],
  }
}

/** Of tickets that have changed: what the store has to keep beside them, in the same transaction. */
export const deliveriesOf = (tickets: readonly Ticket[]): Delivery[] =>
  tickets.filter(isFinished).flatMap((ticket) => openDelivery(ticket) ?? [])

export const isHeldDelivery = ({ status, token: current }: Delivery, token: number): boolean =>
  status === 'pending' && current === token

/**
 * The end of an attempt. A sender that has lost the delivery adds to its history and changes nothing else: it was sent, but
 * another sender decides what comes next.
 */
export function recordAttempt(
  delivery: Delivery,
  {
    token,
    attempt,
    verdict,
    now,
  }: { token: number; attempt: DeliveryAttempt; verdict: Verdict; now: number },
): Delivery {
  const attempts = [...delivery.attempts, attempt].slice(-ATTEMPTS_KEPT)
  if (!isHeldDelivery(delivery, token)) return { ...delivery, attempts }
  const dueAt = verdict.status === 'pending' ? now + verdict.retryInMs : delivery.dueAt
  return { ...delivery, attempts, status: verdict.status, dueAt, pausedAt: now, tries: delivery.tries + 1 }
}

/** Again, now, with a whole round of attempts; an attempt under way no longer decides anything. */
export const resendDelivery = (delivery: Delivery, now: number): Delivery => ({
  ...delivery,
  status: 'pending',
  dueAt: now,
  pausedAt: now,
  token: delivery.token + 1,
  tries: 0,
})

/**
 * Host and port of an address, for what is counted and limited by receiver. Nothing else of it is fit for a log. Of what
 * is no address: nothing, for the end of a ticket must not fail with it; the sender refuses it then.
 */
export function hostOf(address: string): string {
  const url = URL.parse(address)
  if (url === null) return ''
  return `${url.hostname}:${url.port || (url.protocol === 'http:' ? 80 : 443)}`
}
