import type { AttemptRecord, Usage } from '@ai-ticket/core'
import type { TicketBody } from '@ai-ticket/tickets/fastify'
import { type Answer, ask } from './client.ts'
import { turnsOf } from './prompt-turns.ts'

export type { TicketBody } from '@ai-ticket/tickets/fastify'

type TicketStatus = TicketBody['status']

/** One line of the list. */
export interface TicketRow {
  readonly id: string
  readonly status: TicketStatus
  readonly kind: TicketBody['kind']
  readonly createdAt: string
  readonly finishedAt: string | null
  readonly caller?: string
  readonly backend?: string
  readonly model?: string
  readonly error?: string
  readonly prompt: string
  readonly answer: string
  readonly waitedMs?: number
  readonly durationMs?: number
  readonly wastedMs: number
  readonly usage?: Usage
  /** Whether its prompt was kept, so that it can be replayed. */
  readonly kept: boolean
}

export interface TicketPage {
  readonly rows: readonly TicketRow[]
  /** Of the next page; undefined: this was the last. */
  readonly cursor?: string
}

/** Characters of a prompt or an answer in a row. */
const SHOWN = 160

/** One page of the list; `filters` are names of the query of `GET /tickets`. */
export async function listTickets(
  filters: Readonly<Record<string, string>>,
  options: { readonly cursor?: string; readonly limit: number; readonly signal: AbortSignal },
): Promise<Answer<TicketPage>> {
  const query = new URLSearchParams({ ...filters, limit: String(options.limit) })
  if (options.cursor !== undefined) query.set('cursor', options.cursor)
  const answer = await ask<{ data: TicketBody[]; next_cursor?: string }>(`tickets?${query}`, options)
  if (!answer.ok) return answer
  const { data, next_cursor: cursor } = answer.value
  return { ...answer, value: { rows: data.map(rowOf), ...(cursor === undefined ? {} : { cursor }) } }
}

export const getTicket = (id: string, signal?: AbortSignal): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}`, signal ? { signal } : {})

/** Runs the event again as a new ticket; `changes` are fields of the event to put in place of the old ones. */
export const replayTicket = (id: string, changes?: object): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}/replay`, { method: 'POST', body: changes ?? {} })

/** 200: it has stopped. 202: it has not stopped within 5 s, and goes on being stopped. */
export const cancelTicket = (id: string): Promise<Answer<TicketBody>> =>
  ask(`tickets/${encodeURIComponent(id)}`, { method: 'DELETE' })

export interface CallbackBody {
  readonly url: string
  readonly status?: string
  readonly webhook_id: string
  readonly next_attempt_at?: string
  readonly attempts: readonly {
    readonly at: string
    readonly duration_ms: number
    readonly status: number | null
    readonly error?: string
    readonly details?: string
  }[]
}

export const getCallbacks = (id: string, signal: AbortSignal): Promise<Answer<{ data: CallbackBody[] }>> =>
  ask(`tickets/${encodeURIComponent(id)}/callbacks`, { signal })

export const resendCallback = (id: string): Promise<Answer<CallbackBody>> =>
  ask(`tickets/${encodeURIComponent(id)}/callbacks/resend`, { method: 'POST' })

/** A ticket as a line of the list. */
function rowOf(ticket: TicketBody): TicketRow {
  const { outcome } = ticket
  const last = ticket.attempts.at(-1)
  const backend = outcome?.backend ?? ticket.call?.backend ?? last?.backend
  const error = outcome?.error ?? ticket.last_failure?.error
  const waitedMs = waitedOf(ticket)
  const durationMs = durationOf(ticket)
  return {
    id: ticket.id,
    status: ticket.status,
    kind: ticket.kind,
    createdAt: ticket.created_at,
    finishedAt: ticket.finished_at,
    prompt: short(turnsOf(ticket.event?.content).findLast(({ role }) => role === 'user')?.text ?? ''),
    answer: short(outcome?.completion ?? outcome?.partial ?? ticket.partial ?? ''),
    wastedMs: ticket.attempts.filter(isWasted).reduce((sum, { duration_ms }) => sum + duration_ms, 0),
    kept: ticket.event !== null,
    ...(ticket.caller && { caller: ticket.caller }),
    ...(backend && { backend }),
    ...(outcome?.model && { model: outcome.model }),
    ...(error && { error }),
    ...(outcome?.usage && { usage: outcome.usage }),
    ...(waitedMs !== undefined && { waitedMs }),
    ...(durationMs !== undefined && { durationMs }),
  }
}

/** A call whose work was thrown away. */
const isWasted = ({ result }: Pick<AttemptRecord, 'result'>): boolean => result !== 'completed'

/** Until the first call began. */
function waitedOf({ created_at, attempts: [first] }: TicketBody): number | undefined {
  return first && Math.max(0, Date.parse(first.started_at) - Date.parse(created_at))
}

function durationOf({ created_at, finished_at }: TicketBody): number | undefined {
  return finished_at === null ? undefined : Date.parse(finished_at) - Date.parse(created_at)
}

const short = (text: string): string => text.slice(0, SHOWN).replace(/\s+/g, ' ')
