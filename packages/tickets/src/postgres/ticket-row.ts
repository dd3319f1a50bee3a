import type { AttemptRecord, FailureCode, FailureOutcome, Outcome, SuccessOutcome } from '@ai-ticket/core'
import type { Ticket, TicketCall, TicketState, TicketStatus } from '../ticket.ts'
import { rankOf } from '../ticket-store.ts'
import type { Row } from './database.ts'
import { restoredText, storableText } from './storable-text.ts'

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
  has_job: 'boolean',
  job_attempt: 'integer',
  idempotency_until: 'bigint',
}

/** The columns that a transition may change. */
export function changingColumns(ticket: Ticket): Columns {
  const { state } = ticket
  return {
    id: ticket.id,
    status: state.status,
    token: ticket.token,
    runs: ticket.runs,
    retries: ticket.retries,
    crashes: ticket.crashes,
    started_at: ticket.startedAt ?? null,
    partial: textOrNull(ticket.partial),
    attempts: JSON.stringify(ticket.attempts),
    last_error: ticket.lastFailure?.error ?? null,
    last_details: textOrNull(ticket.lastFailure?.details),
    ...waitingColumns(ticket),
    ...heldColumns(state),
    ...endColumns(ticket),
  }
}

/** The columns that stay as they were at the start. */
export function lastingColumns(ticket: Ticket): Columns {
  return {
    event_id: storableText(ticket.eventId),
    kind: ticket.kind,
    caller: storableText(ticket.caller),
    priority: ticket.priority,
    created_at: ticket.createdAt,
    expires_at: ticket.expiresAt ?? null,
    replay_of: textOrNull(ticket.replayOf),
    wanted_backend: wantedBackend(ticket.event),
    ...eventColumns(ticket.event),
  }
}

/** The content stands in a column of its own, so that a search for a text needs to parse nothing. */
function eventColumns(event: Ticket['event']): Columns {
  if (event === null) return { event: null, content: null, content_is_json: false, metadata: null }
  const { content, ...rest } = event
  const isText = typeof content === 'string'
  const json: string | undefined = isText ? content : JSON.stringify(content)
  return {
    event: JSON.stringify(rest),
    content: textOrNull(json),
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

/** A retry stands behind those who became due before it; whoever was interrupted keeps its place. */
function waitingColumns({ state, createdAt, priority }: Ticket): Columns {
  const notBefore = state.status === 'queued' ? state.notBefore : 0
  return { not_before: notBefore, rank: rankOf(Math.max(createdAt, notBefore), priority) }
}

function heldColumns(state: TicketState): Columns {
  const held = state.status === 'in_progress' ? state : undefined
  return {
    worker: textOrNull(held?.owner.worker),
    session: textOrNull(held?.owner.session),
    lease_until: held?.leaseUntil ?? null,
    cancel_requested_at: held?.cancelRequestedAt ?? null,
    call_backend: textOrNull(held?.call?.backend),
    call_endpoint: textOrNull(held?.call?.endpoint),
    call_key: textOrNull(held?.call?.key),
    call_started_at: held?.call?.startedAt ?? null,
  }
}

function endColumns({ state, event }: Ticket): Columns {
  const outcome = 'outcome' in state ? state.outcome : undefined
  const answered = outcome && 'completion' in outcome ? outcome : undefined
  const { completion, ...rest } = answered ?? { completion: undefined }
  const lastBackend = outcome?.attempts.at(-1)?.backend
  return {
    finished_at: 'finishedAt' in state ? state.finishedAt : null,
    outcome: outcome === undefined ? null : JSON.stringify(answered ? rest : outcome),
    answer: textOrNull(completion),
    error: outcome && 'error' in outcome ? outcome.error : null,
    backend: textOrNull(answered?.backend ?? lastBackend ?? textField(event, 'backend')),
    model: textOrNull(answered?.model ?? textField(event, 'model')),
  }
}

function textField(event: Ticket['event'], key: string): string | undefined {
  const value = event?.[key]
  return typeof value === 'string' ? value : undefined
}

export const wantedBackend = (event: Ticket['event']) => textOrNull(textField(event, 'backend'))

const textOrNull = (text: string | null | undefined) => (text == null ? null : storableText(text))

const textOf = (value: unknown) => restoredText(String(value))

export function ticketOf(row: Row): Ticket {
  const lastError = row.last_error as FailureCode | null
  return {
    id: String(row.id),
    eventId: textOf(row.event_id),
    kind: row.kind as Ticket['kind'],
    event: eventOf(row),
    caller: textOf(row.caller),
    priority: Number(row.priority),
    createdAt: Number(row.created_at),
    ...(row.started_at === null ? {} : { startedAt: Number(row.started_at) }),
    ...(row.expires_at === null ? {} : { expiresAt: Number(row.expires_at) }),
    ...(row.replay_of === null ? {} : { replayOf: textOf(row.replay_of) }),
    token: Number(row.token),
    runs: Number(row.runs),
    retries: Number(row.retries),
    crashes: Number(row.crashes),
    attempts: JSON.parse(String(row.attempts)) as AttemptRecord[],
    ...(row.partial === null ? {} : { partial: textOf(row.partial) }),
    ...(lastError === null ? {} : { lastFailure: { error: lastError, details: textOf(row.last_details) } }),
    state: stateOf(row),
  }
}

function eventOf(row: Row): Ticket['event'] {
  if (row.event === null) return null
  const rest = JSON.parse(String(row.event)) as Record<string, unknown>
  if (row.content === null) return rest
  const content = textOf(row.content)
  return { ...rest, content: row.content_is_json === true ? JSON.parse(content) : content }
}

function stateOf(row: Row): TicketState {
  const status = row.status as TicketStatus
  if (status === 'queued') return { status, notBefore: Number(row.not_before) }
  if (status === 'in_progress') {
    const call = callOf(row)
    return {
      status,
      owner: { worker: textOf(row.worker), session: textOf(row.session) },
      leaseUntil: Number(row.lease_until),
      ...(call === undefined ? {} : { call }),
      ...(row.cancel_requested_at === null ? {} : { cancelRequestedAt: Number(row.cancel_requested_at) }),
    }
  }
  const finishedAt = Number(row.finished_at)
  const outcome = JSON.parse(String(row.outcome)) as Outcome
  if (status !== 'completed') return { status, finishedAt, outcome: outcome as FailureOutcome }
  return { status, finishedAt, outcome: { ...(outcome as SuccessOutcome), completion: textOf(row.answer) } }
}

function callOf(row: Row): TicketCall | undefined {
  if (row.call_key === null) return undefined
  return {
    backend: textOf(row.call_backend),
    endpoint: textOf(row.call_endpoint),
    key: textOf(row.call_key),
    startedAt: Number(row.call_started_at),
  }
}
