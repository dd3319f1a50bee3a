import type { Outcome } from '@ai-ticket/core'
import { readJson, readObject } from '../../ticket/stored-value.ts'
import type { Progress, Ticket } from '../../ticket/ticket.ts'
import { summaryOf, type TicketRow } from '../../ticket/ticket-row.ts'
import { rowColumns, rowOf, storedSummary } from '../row-columns.ts'
import { checksumOf, createTicketColumns, isAsWritten, isHeldBack, readOutcome } from '../ticket-columns.ts'
import type { Row } from './database.ts'

type Value = string | number | boolean | null
export type Columns = Readonly<Record<string, Value>>

/** Types of the columns, in which whole lists of them are sent. */
export const COLUMN_TYPES: Readonly<Record<string, 'text' | 'integer' | 'bigint' | 'boolean' | 'jsonb'>> = {
  priority: 'integer',
  created_at: 'bigint',
  started_at: 'bigint',
  finished_at: 'bigint',
  expires_at: 'bigint',
  not_before: 'bigint',
  paused_at: 'bigint',
  rank: 'bigint',
  token: 'integer',
  runs: 'integer',
  retries: 'integer',
  crashes: 'integer',
  lease_until: 'bigint',
  cancel_requested_at: 'bigint',
  call_started_at: 'bigint',
  content_is_json: 'boolean',
  metadata: 'jsonb',
  idempotency_until: 'bigint',
  wants_stream: 'integer',
  is_chat: 'integer',
  outcome_crc: 'bigint',
  wasted_ms: 'bigint',
  held: 'boolean',
}

const textOf = (value: unknown) => restoredText(String(value))

const MARK = '\uE000'

const TEXTS = { write: storableText, read: textOf }

const columns = createTicketColumns(TEXTS)

/** What stands of a ticket in the table of rows. */
export const sideColumns = (ticket: Ticket): Columns => ({ id: ticket.id, ...rowColumns(ticket, TEXTS) })

/** A row of a list. `whole`: the ticket, where its row has no summary. */
export const listedRowOf = (row: Row, whole: Ticket | undefined): TicketRow =>
  rowOf(row, whole ? summaryOf(whole) : storedSummary(row, TEXTS), TEXTS)

export const { glanceOf } = columns

/** The columns that a transition may change. */
export const changingColumns = (ticket: Ticket): Columns => ({
  ...columns.changing(ticket),
  ...outcomeColumns(ticket),
  held: isHeldBack(ticket),
})

export const progressColumns = (progress: Progress): Columns => columns.progress(progress)

/** The columns that stay as they were at the start. */
export const lastingColumns = (ticket: Ticket): Columns => ({
  ...columns.lasting(ticket),
  ...eventColumns(ticket.event),
})

/** The content stands in a column of its own, so that a search for a text needs to parse nothing. */
function eventColumns(event: Ticket['event']): Columns {
  if (event === null) return { event: null, content: null, content_is_json: false, metadata: null }
  const { content, ...rest } = event
  const isText = typeof content === 'string'
  const json: string | undefined = isText ? content : JSON.stringify(content)
  return {
    event: JSON.stringify(rest),
    content: json === undefined ? null : storableText(json),
    content_is_json: !isText && json !== undefined,
    metadata: metadataColumn(event.metadata),
  }
}

/** Only texts can be asked for. */
function metadataColumn(metadata: unknown): string | null {
  if (typeof metadata !== 'object' || metadata === null) return null
  return storableMetadata(metadata)
}

export function storableMetadata(metadata: object): string {
  const texts = Object.entries(metadata).flatMap(([key, value]) =>
    typeof value === 'string' ? [[storableText(key), storableText(value)]] : [],
  )
  return JSON.stringify(Object.fromEntries(texts))
}

/** The text of an answer stands in a column of its own, too. */
function outcomeColumns({ id, state }: Ticket): Columns {
  if (!('outcome' in state)) return { outcome: null, answer: null, outcome_crc: null }
  const [outcome, answer] = storedOutcome(state.outcome)
  return { outcome, answer, outcome_crc: checksumOf(id, [outcome, answer]) }
}

function storedOutcome(outcome: Outcome): readonly [outcome: string, answer: string | null] {
  if (outcome.error !== undefined) return [JSON.stringify(outcome), null]
  const { completion, ...rest } = outcome
  return [JSON.stringify(rest), storableText(completion)]
}

const textOrNull = (value: unknown) => (value == null ? null : String(value))

export const ticketOf = (row: Row): Ticket =>
  columns.ticketOf(row, {
    event: eventOf(row),
    outcome: outcomeOf(row),
    isAsWritten: isAsWritten(row, [textOrNull(row.outcome), textOrNull(row.answer)]),
  })

function eventOf(row: Row): Ticket['event'] {
  const rest = readObject(row.event)
  if (rest === undefined) return null
  if (row.content === null) return rest
  const text = textOf(row.content)
  const content = row.content_is_json === true ? readJson(text) : text
  return content === undefined ? null : { ...rest, content }
}

const outcomeOf = (row: Row): Outcome | undefined =>
  readOutcome(row.outcome, row.answer === null ? undefined : textOf(row.answer))

/**
 * PostgreSQL refuses U+0000 in any text. It is written as a mark of the private use area and `0`, the mark itself as the
 * mark and `1`, so that every text comes back as it was; half a surrogate pair becomes U+FFFD, as in any UTF-8.
 */
export function storableText(text: string): string {
  const wellFormed = text.toWellFormed()
  if (!wellFormed.includes('\0') && !wellFormed.includes(MARK)) return wellFormed
  return wellFormed.replaceAll(MARK, `${MARK}1`).replaceAll('\0', `${MARK}0`)
}

export function restoredText(text: string): string {
  return text.includes(MARK) ? text.replaceAll(`${MARK}0`, '\0').replaceAll(`${MARK}1`, MARK) : text
}
