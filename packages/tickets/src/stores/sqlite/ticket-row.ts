import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Outcome } from '@ai-ticket/core'
import type { Ticket } from '../../ticket/ticket.ts'
import { createTicketColumns } from '../ticket-columns.ts'

export type Row = Record<string, SQLOutputValue>
export type Values = Record<string, SQLInputValue>

const columns = createTicketColumns({ write: (text) => text, read: String })

/** The columns that a transition may change. */
export const changingColumns = (ticket: Ticket): Values => ({
  ...columns.changing(ticket),
  outcome: 'outcome' in ticket.state ? JSON.stringify(ticket.state.outcome) : null,
})

/** The columns that stay as they were at the start. */
export const lastingColumns = (ticket: Ticket): Values => ({
  ...columns.lasting(ticket),
  event: ticket.event === null ? null : JSON.stringify(ticket.event),
})

export const ticketOf = (row: Row): Ticket =>
  columns.ticketOf(row, {
    event: row.event === null ? null : (JSON.parse(String(row.event)) as Record<string, unknown>),
    outcome: row.outcome === null ? undefined : (JSON.parse(String(row.outcome)) as Outcome),
  })
