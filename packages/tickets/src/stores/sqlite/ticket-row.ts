import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { readObject } from '../../ticket/stored-value.ts'
import type { Progress, Ticket } from '../../ticket/ticket.ts'
import { summaryOf, type TicketRow } from '../../ticket/ticket-row.ts'
import { hasNoSummary, rowColumns, rowOf, storedSummary } from '../row-columns.ts'
import { checksumOf, createTicketColumns, isAsWritten, isHeldBack, readOutcome } from '../ticket-columns.ts'

export type Row = Record<string, SQLOutputValue>
export type Values = Record<string, SQLInputValue>

const TEXTS = { write: (text: string) => text, read: String }

const columns = createTicketColumns(TEXTS)

/** What stands of a ticket in the table of rows. */
export const sideColumns = (ticket: Ticket): Values => rowColumns(ticket, TEXTS)

/** The columns that a transition may change. */
export const changingColumns = (ticket: Ticket): Values => ({
  ...columns.changing(ticket),
  ...outcomeColumns(ticket),
  held: isHeldBack(ticket) ? 1 : 0,
})

function outcomeColumns({ id, state }: Ticket): Values {
  if (!('outcome' in state)) return { outcome: null, outcome_crc: null }
  const outcome = JSON.stringify(state.outcome)
  return { outcome, outcome_crc: checksumOf(id, [outcome]) }
}

export const progressColumns = (progress: Progress): Values => columns.progress(progress)

/** The columns that stay as they were at the start. */
export const lastingColumns = (ticket: Ticket): Values => ({
  ...columns.lasting(ticket),
  event: ticket.event === null ? null : JSON.stringify(ticket.event),
})

export const { glanceOf } = columns

const textOrNull = (value: unknown) => (value == null ? null : String(value))

export const ticketOf = (row: Row): Ticket =>
  columns.ticketOf(row, {
    event: readObject(row.event) ?? null,
    outcome: readOutcome(row.outcome),
    isAsWritten: isAsWritten(row, [textOrNull(row.outcome)]),
  })

/** A row of a list. `read`: reads the whole ticket, where it has no summary. */
export const listedRowOf = (row: Row, read: (seq: SQLOutputValue | undefined) => Ticket): TicketRow =>
  rowOf(row, hasNoSummary(row) ? summaryOf(read(row.seq)) : storedSummary(row, TEXTS), TEXTS)

/**
 * Whole numbers come as `bigint`: as numbers, one beyond 2^53 in any row would make SQLite's driver refuse the whole
 * answer.
 */
export function prepareToRead(database: DatabaseSync, sql: string): ReturnType<DatabaseSync['prepare']> {
  const statement = database.prepare(sql)
  statement.setReadBigInts(true)
  return statement
}
