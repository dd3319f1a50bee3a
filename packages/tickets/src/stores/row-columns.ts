import type { DeliveryStatus } from '../ticket/delivery.ts'
import { readObject, readTime, storableTime } from '../ticket/stored-value.ts'
import { isFinished, TICKET_STATUSES, type Ticket } from '../ticket/ticket.ts'
import { type RowFacts, summaryOf, type TicketRow, type TicketSummary } from '../ticket/ticket-row.ts'
import type { TextColumns } from './ticket-columns.ts'

type Row = Readonly<Record<string, unknown>>

/**
 * What a row needs of a ticket beside its first columns, in a table of its own: `tickets` has the event and the outcome in the
 * middle, and SQLite walks through all pages of both for every column behind them.
 */
export const ROW_COLUMNS = [
  ...(['seq', 'created_at', 'prompt', 'answer', 'facts', 'wasted_ms', 'callback'] as const),
] as const

/** Those of a ticket, without its number. The callback is kept by triggers from here on. */
export function rowColumns(ticket: Ticket, { write }: TextColumns) {
  const { prompt, answer, wastedMs, ...facts } = summaryOf(ticket)
  return {
    created_at: storableTime(ticket.createdAt),
    prompt: prompt === null ? null : write(prompt),
    answer: answer === null ? null : write(answer),
    facts: JSON.stringify(facts),
    wasted_ms: Math.trunc(wastedMs),
    callback: ticket.callbackUrl === undefined ? null : 'waiting',
  }
}

/** What a transition may have changed of them. Before a run has ended, nothing has. */
export const hasNewRow = (ticket: Ticket): boolean => isFinished(ticket) || ticket.attempts.length > 0

/** What is read of a ticket for a row; the columns before its texts. */
export const ROW_SELECTION = `tickets.seq, tickets.id, event_id, kind, status, caller, priority,
  tickets.created_at, started_at, finished_at, replay_of, runs, call_backend, backend, model, error,
  side.prompt, side.answer, side.facts, side.wasted_ms, side.callback`

/** An earlier release wrote the ticket: its summary is made of all of it. */
export const hasNoSummary = ({ facts }: Row): boolean => facts == null

/** From a row of any store. Reads any row, as `createTicketColumns` does. */
export function rowOf(row: Row, summary: TicketSummary, { read }: TextColumns): TicketRow {
  const startedAt = readTime(row.started_at)
  const finishedAt = readTime(row.finished_at)
  const text = (name: string) => (row[name] == null ? undefined : read(row[name]))
  const backend = text('call_backend') ?? text('backend')
  const model = text('model')
  const error = text('error')
  const replayOf = text('replay_of')
  return {
    id: String(row.id),
    eventId: read(row.event_id),
    kind: row.kind === 'event' ? 'event' : 'ticket',
    status: TICKET_STATUSES.find((one) => one === row.status) ?? 'failed',
    caller: read(row.caller),
    priority: Number(row.priority),
    createdAt: readTime(row.created_at) ?? 0,
    seq: Number(row.seq),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(replayOf === undefined ? {} : { replayOf }),
    runs: Number(row.runs),
    ...(backend === undefined ? {} : { backend }),
    ...(model === undefined ? {} : { model }),
    ...(error === undefined ? {} : { error }),
    ...(row.callback == null ? {} : { callback: String(row.callback) as DeliveryStatus | 'waiting' }),
    summary,
  }
}

/** As it stands beside the ticket. */
export function storedSummary(row: Row, { read }: TextColumns): TicketSummary {
  const facts = readObject(row.facts) as RowFacts | undefined
  return {
    attempts: 0,
    usage: null,
    ...facts,
    prompt: row.prompt == null ? null : read(row.prompt),
    answer: row.answer == null ? null : read(row.answer),
    wastedMs: Number(row.wasted_ms ?? 0),
  }
}
