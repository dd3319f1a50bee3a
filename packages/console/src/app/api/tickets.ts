import type { CallbackBody, TicketBody, TicketRowBody } from '@ai-ticket/tickets/fastify'
import { apiRoot } from './addresses.ts'
import { type Answer, ask } from './client.ts'
import { hasKey } from './key.ts'

export type { CallbackBody, TicketBody } from '@ai-ticket/tickets/fastify'

/** One line of the list: no body of an event is in it, however large. */
export type TicketRow = TicketRowBody

export interface TicketPage {
  readonly rows: readonly TicketRow[]
  /** Of the next page; undefined: this was the last. */
  readonly cursor?: string
}

/** One page of the list; `filters` are names of the query of `GET /tickets`. */
export async function listTickets(
  filters: Readonly<Record<string, string>>,
  options: { readonly cursor?: string; readonly limit: number; readonly signal: AbortSignal },
): Promise<Answer<TicketPage>> {
  const query = new URLSearchParams({ ...filters, view: 'row', limit: String(options.limit) })
  if (options.cursor !== undefined) query.set('cursor', options.cursor)
  const answer = await ask<{ data: TicketRow[]; next_cursor?: string }>(`tickets?${query}`, options)
  if (!answer.ok) return answer
  const { data, next_cursor: cursor } = answer.value
  return { ...answer, value: { rows: data, ...(cursor === undefined ? {} : { cursor }) } }
}

export const getTicket = (id: string, signal?: AbortSignal): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}`, signal ? { signal } : {})

/** Runs the event again as a new ticket; `changes` are fields of the event to put in place of the old ones. */
export const replayTicket = (id: string, changes?: object): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}/replay`, { method: 'POST', body: changes ?? {} })

/** 200: it has stopped. 202: it has not stopped within 5 s, and goes on being stopped. */
export const cancelTicket = (id: string): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}`, { method: 'DELETE' })

export const getCallbacks = (id: string, signal: AbortSignal): Promise<Answer<{ data: CallbackBody[] }>> =>
  ask(`tickets/${encodeURIComponent(id)}/callbacks`, { signal })

export const resendCallback = (id: string): Promise<Answer<CallbackBody>> =>
  ask(`tickets/${encodeURIComponent(id)}/callbacks/resend`, { method: 'POST' })

export interface CallbackPage {
  readonly data: readonly CallbackBody[]
  readonly next_cursor?: string
}

/** Of all tickets that have ended, the newest tickets first. */
export const listCallbacks = (
  status: 'pending' | 'delivered' | 'dead',
  signal: AbortSignal,
): Promise<Answer<CallbackPage>> => ask(`callbacks?status=${status}&limit=100`, { signal })

/** Sends the same event as a ticket, from a terminal. The key is never in it: a variable stands for it. */
export function curlOf(event: object): string {
  const key = hasKey() ? ` -H "Authorization: Bearer $AI_TICKET_KEY"` : ''
  const body = JSON.stringify(withoutId(event)).replaceAll("'", "'\\''")
  return `curl ${location.origin}${apiRoot}tickets${key} -H 'content-type: application/json' -d '${body}'`
}

/** A second ticket of the same id would be refused. */
export function withoutId(event: object): object {
  const { id: _own, ...rest } = event as { readonly id?: unknown }
  return rest
}
