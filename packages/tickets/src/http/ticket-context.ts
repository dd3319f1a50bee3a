import type { Clock, Logger } from '@ai-ticket/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CallbackPolicy } from '../callbacks/callback-policy.ts'
import type { TicketDesk } from '../desk/ticket-desk.ts'
import type { Ticket } from '../ticket/ticket.ts'
import type { TicketStore } from '../ticket/ticket-store.ts'
import type { TicketAccess } from './ticket-access.ts'

/** What all routes share. */
export interface TicketContext {
  readonly store: TicketStore
  readonly desk: TicketDesk | undefined
  readonly logger: Logger
  readonly clock: Clock
  readonly callerOf: (request: FastifyRequest) => string
  readonly access: TicketAccess
  /** Undefined: no callbacks are sent. */
  readonly callbacks: Pick<CallbackPolicy, 'check'> | undefined
  readonly idempotencyTtlMs: number
  readonly pingIntervalMs: number
  /** Aborted when the server closes: who waits is answered now. */
  readonly closing: AbortSignal
}

/** Calls back whenever the ticket has changed. */
export function watchTicket({ desk, store }: TicketContext, id: string, listener: () => void): () => void {
  return desk ? desk.watch(id, listener) : store.subscribe((changed) => changed === id && listener())
}

/** The text so far: of this process where the ticket runs here, else the stored one. */
export function textOf({ desk }: TicketContext, ticket: Ticket): string {
  const live = desk?.textOf(ticket.id)
  return live?.run === ticket.runs ? live.text : (ticket.partial ?? '')
}

/** Aborts when the caller has hung up or the server closes. */
export function waitSignal({ closing }: TicketContext, reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(new Error('The caller hung up.')))
  return AbortSignal.any([closing, gone.signal])
}
