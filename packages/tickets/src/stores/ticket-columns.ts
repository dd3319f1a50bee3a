import type { AttemptRecord, FailureCode, FailureOutcome, Outcome, SuccessOutcome } from '@ai-ticket/core'
import { objectsOf, readObject, readObjects, readTime, storableTime } from '../ticket/stored-value.ts'
import type { Ticket, TicketCall, TicketState } from '../ticket/ticket.ts'
import { rankOf } from '../ticket/ticket-store.ts'

/** A row as a database gives it back. */
type Row = Readonly<Record<string, unknown>>

/** How a database keeps a text that may hold any character. */
export interface TextColumns {
  write(text: string): string
  read(stored: unknown): string
}

/** What stands otherwise in each store. */
export interface OwnColumns {
  readonly event: Ticket['event']
  readonly outcome: Outcome | undefined
}

/**
 * A ticket in columns and back, as far as both stores do the same; the event and the outcome are theirs. Reads any row:
 * one that somebody else has written or broken must not keep the others from being shown.
 */
export function createTicketColumns({ write, read }: TextColumns) {
  const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : storableTime(ms))
  const textOrNull = (text: string | null | undefined) => (text == null ? null : write(text))

  /** The columns that a transition may change. */
  const changing = (ticket: Ticket) => ({
    id: ticket.id,
    status: ticket.state.status,
    token: ticket.token,
    runs: ticket.runs,
    retries: ticket.retries,
    crashes: ticket.crashes,
    started_at: timeOrNull(ticket.startedAt),
    partial: textOrNull(ticket.partial),
    // Those of a recorded event stand in its outcome.
    attempts: ticket.kind === 'event' ? '[]' : JSON.stringify(ticket.attempts),
    last_error: ticket.lastFailure?.error ?? null,
    last_details: textOrNull(ticket.lastFailure?.details),
    ...waiting(ticket),
    ...held(ticket.state),
    ...end(ticket),
  })

  /** The columns that stay as they were at the start. */
  const lasting = (ticket: Ticket) => ({
    event_id: write(ticket.eventId),
    kind: ticket.kind,
    caller: write(ticket.caller),
    priority: ticket.priority,
    created_at: storableTime(ticket.createdAt),
    expires_at: timeOrNull(ticket.expiresAt),
    replay_of: textOrNull(ticket.replayOf),
    callback_url: textOrNull(ticket.callbackUrl),
    wanted_backend: wantedBackend(ticket.event),
  })

  const wantedBackend = (event: Ticket['event']) => textOrNull(textField(event, 'backend'))

  function held(state: TicketState) {
    const claim = state.status === 'in_progress' ? state : undefined
    return {
      worker: textOrNull(claim?.owner.worker),
      session: textOrNull(claim?.owner.session),
      lease_until: timeOrNull(claim?.leaseUntil),
      cancel_requested_at: timeOrNull(claim?.cancelRequestedAt),
      call_backend: textOrNull(claim?.call?.backend),
      call_endpoint: textOrNull(claim?.call?.endpoint),
      call_key: textOrNull(claim?.call?.key),
      call_started_at: timeOrNull(claim?.call?.startedAt),
    }
  }

  function end({ state, event }: Ticket) {
    const outcome = 'outcome' in state ? state.outcome : undefined
    const answered = outcome && 'completion' in outcome ? outcome : undefined
    const lastBackend = outcome?.attempts.at(-1)?.backend
    return {
      finished_at: 'finishedAt' in state ? storableTime(state.finishedAt) : null,
      error: outcome && 'error' in outcome ? outcome.error : null,
      backend: textOrNull(answered?.backend ?? lastBackend ?? textField(event, 'backend')),
      model: textOrNull(answered?.model ?? textField(event, 'model')),
    }
  }

  function ticketOf(row: Row, { event, outcome }: OwnColumns): Ticket {
    const createdAt = readTime(row.created_at) ?? 0
    const startedAt = readTime(row.started_at)
    const expiresAt = readTime(row.expires_at)
    const lastError = row.last_error as FailureCode | null
    const isEvent = row.kind === 'event'
    return {
      id: String(row.id),
      eventId: read(row.event_id),
      kind: isEvent ? 'event' : 'ticket',
      event,
      caller: read(row.caller),
      priority: Number(row.priority),
      createdAt,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(row.replay_of === null ? {} : { replayOf: read(row.replay_of) }),
      ...(row.callback_url === null ? {} : { callbackUrl: read(row.callback_url) }),
      token: Number(row.token),
      runs: Number(row.runs),
      retries: Number(row.retries),
      crashes: Number(row.crashes),
      attempts: isEvent ? (outcome?.attempts ?? []) : attemptsOf(readObjects(row.attempts)),
      ...(row.partial === null ? {} : { partial: read(row.partial) }),
      ...(lastError === null
        ? {}
        : { lastFailure: { error: lastError, details: read(row.last_details ?? '') } }),
      state: stateOf(row, outcome),
    }
  }

  function stateOf(row: Row, outcome: Outcome | undefined): TicketState {
    const { status } = row
    if (status === 'queued') return { status, notBefore: readTime(row.not_before) ?? 0 }
    if (status === 'in_progress') {
      const call = callOf(row)
      const cancelRequestedAt = readTime(row.cancel_requested_at)
      return {
        status,
        owner: { worker: read(row.worker ?? ''), session: read(row.session ?? '') },
        leaseUntil: readTime(row.lease_until) ?? 0,
        ...(call === undefined ? {} : { call }),
        ...(cancelRequestedAt === undefined ? {} : { cancelRequestedAt }),
      }
    }
    const finishedAt = readTime(row.finished_at) ?? readTime(row.created_at) ?? 0
    const ended = outcome ?? unreadable(read(row.event_id))
    if ('completion' in ended) return { status: 'completed', finishedAt, outcome: ended }
    return { status: status === 'cancelled' ? status : 'failed', finishedAt, outcome: ended }
  }

  function callOf(row: Row): TicketCall | undefined {
    if (row.call_key === null) return undefined
    return {
      backend: read(row.call_backend ?? ''),
      endpoint: read(row.call_endpoint ?? ''),
      key: read(row.call_key),
      startedAt: readTime(row.call_started_at) ?? 0,
    }
  }

  return { changing, lasting, wantedBackend, ticketOf }
}

/** An outcome from its JSON. `completion`: where the text stands in a column of its own. Undefined: it cannot be read. */
export function readOutcome(stored: unknown, completion?: string): Outcome | undefined {
  const value = readObject(stored)
  if (value === undefined) return undefined
  const attempts = attemptsOf(objectsOf(value.attempts))
  const whole = { ...value, attempts, ...(completion === undefined ? {} : { completion }) }
  const isOutcome = typeof whole.completion === 'string' || typeof value.error === 'string'
  return isOutcome ? (whole as unknown as SuccessOutcome | FailureOutcome) : undefined
}

const attemptsOf = (values: readonly Record<string, unknown>[]) => values as unknown as AttemptRecord[]

/** Stands for an outcome that the store holds no more, or holds in a form that nobody can read. */
const unreadable = (eventId: string): FailureOutcome => ({
  error: 'internal_error',
  details:
    'The outcome of this ticket cannot be read in the ticket store. Replay the ticket to run it again.',
  id: eventId,
  duration_ms: 0,
  attempts: [],
})

/** A retry stands behind those who became due before it; whoever was interrupted keeps its place. */
function waiting({ state, createdAt, priority }: Ticket) {
  const notBefore = state.status === 'queued' ? storableTime(state.notBefore) : 0
  return { not_before: notBefore, rank: rankOf(Math.max(storableTime(createdAt), notBefore), priority) }
}

function textField(event: Ticket['event'], key: string): string | undefined {
  const value = event?.[key]
  return typeof value === 'string' ? value : undefined
}
