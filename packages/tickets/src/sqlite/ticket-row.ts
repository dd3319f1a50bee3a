import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { AttemptRecord, FailureCode, FailureOutcome, Outcome, SuccessOutcome } from '@ai-ticket/core'
import type { Ticket, TicketCall, TicketState, TicketStatus } from '../ticket.ts'
import { rankOf } from '../ticket-store.ts'

export type Row = Record<string, SQLOutputValue>
type Values = Record<string, SQLInputValue>

/** The columns that a transition may change. */
export function changingColumns(ticket: Ticket): Values {
  const { state } = ticket
  return {
    id: ticket.id,
    status: state.status,
    token: ticket.token,
    runs: ticket.runs,
    retries: ticket.retries,
    crashes: ticket.crashes,
    started_at: ticket.startedAt ?? null,
    partial: ticket.partial ?? null,
    attempts: JSON.stringify(ticket.attempts),
    last_error: ticket.lastFailure?.error ?? null,
    last_details: ticket.lastFailure?.details ?? null,
    ...waitingColumns(ticket),
    ...heldColumns(state),
    ...endColumns(ticket),
  }
}

/** The columns that stay as they were at the start. */
export function lastingColumns(ticket: Ticket): Values {
  return {
    event_id: ticket.eventId,
    kind: ticket.kind,
    caller: ticket.caller,
    priority: ticket.priority,
    created_at: ticket.createdAt,
    expires_at: ticket.expiresAt ?? null,
    replay_of: ticket.replayOf ?? null,
    wanted_backend: textField(ticket.event, 'backend'),
    event: ticket.event === null ? null : JSON.stringify(ticket.event),
  }
}

/** A retry stands behind those who became due before it; whoever was interrupted keeps its place. */
function waitingColumns({ state, createdAt, priority }: Ticket): Values {
  const notBefore = state.status === 'queued' ? state.notBefore : 0
  return { not_before: notBefore, rank: rankOf(Math.max(createdAt, notBefore), priority) }
}

function heldColumns(state: TicketState): Values {
  const held = state.status === 'in_progress' ? state : undefined
  return {
    worker: held?.owner.worker ?? null,
    session: held?.owner.session ?? null,
    lease_until: held?.leaseUntil ?? null,
    cancel_requested_at: held?.cancelRequestedAt ?? null,
    call_backend: held?.call?.backend ?? null,
    call_endpoint: held?.call?.endpoint ?? null,
    call_key: held?.call?.key ?? null,
    call_started_at: held?.call?.startedAt ?? null,
  }
}

function endColumns({ state, event }: Ticket): Values {
  const outcome = 'outcome' in state ? state.outcome : undefined
  const answered = outcome && 'completion' in outcome ? outcome : undefined
  const lastBackend = outcome?.attempts.at(-1)?.backend
  return {
    finished_at: 'finishedAt' in state ? state.finishedAt : null,
    outcome: outcome === undefined ? null : JSON.stringify(outcome),
    error: outcome && 'error' in outcome ? outcome.error : null,
    backend: answered?.backend ?? lastBackend ?? textField(event, 'backend'),
    model: answered?.model ?? textField(event, 'model'),
  }
}

function textField(event: Ticket['event'], key: string): string | null {
  const value = event?.[key]
  return typeof value === 'string' ? value : null
}

export function ticketOf(row: Row): Ticket {
  const lastError = row.last_error as FailureCode | null
  return {
    id: String(row.id),
    eventId: String(row.event_id),
    kind: row.kind as Ticket['kind'],
    event: row.event === null ? null : (JSON.parse(String(row.event)) as Record<string, unknown>),
    caller: String(row.caller),
    priority: Number(row.priority),
    createdAt: Number(row.created_at),
    ...(row.started_at === null ? {} : { startedAt: Number(row.started_at) }),
    ...(row.expires_at === null ? {} : { expiresAt: Number(row.expires_at) }),
    ...(row.replay_of === null ? {} : { replayOf: String(row.replay_of) }),
    token: Number(row.token),
    runs: Number(row.runs),
    retries: Number(row.retries),
    crashes: Number(row.crashes),
    attempts: JSON.parse(String(row.attempts)) as AttemptRecord[],
    ...(row.partial === null ? {} : { partial: String(row.partial) }),
    ...(lastError === null ? {} : { lastFailure: { error: lastError, details: String(row.last_details) } }),
    state: stateOf(row),
  }
}

function stateOf(row: Row): TicketState {
  const status = row.status as TicketStatus
  if (status === 'queued') return { status, notBefore: Number(row.not_before) }
  if (status === 'in_progress') {
    const call = callOf(row)
    return {
      status,
      owner: { worker: String(row.worker), session: String(row.session) },
      leaseUntil: Number(row.lease_until),
      ...(call === undefined ? {} : { call }),
      ...(row.cancel_requested_at === null ? {} : { cancelRequestedAt: Number(row.cancel_requested_at) }),
    }
  }
  const finishedAt = Number(row.finished_at)
  const outcome = JSON.parse(String(row.outcome)) as Outcome
  if (status === 'completed') return { status, finishedAt, outcome: outcome as SuccessOutcome }
  return { status, finishedAt, outcome: outcome as FailureOutcome }
}

function callOf(row: Row): TicketCall | undefined {
  if (row.call_key === null) return undefined
  return {
    backend: String(row.call_backend),
    endpoint: String(row.call_endpoint),
    key: String(row.call_key),
    startedAt: Number(row.call_started_at),
  }
}
