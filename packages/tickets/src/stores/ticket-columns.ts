import { crc32 } from 'node:zlib'
import type { AttemptRecord, FailureCode, FailureOutcome, Outcome, SuccessOutcome } from '@ai-ticket/core'
import { prefixOf } from '../ticket/new-ticket.ts'
import { objectsOf, readObject, readObjects, readTime, storableTime } from '../ticket/stored-value.ts'
import {
  type Progress,
  TICKET_STATUSES,
  type Ticket,
  type TicketCall,
  type TicketRun,
  type TicketState,
  type TicketStatus,
} from '../ticket/ticket.ts'
import { rankOf, type TicketGlance, type TicketStats } from '../ticket/ticket-store.ts'

/** A row as a database gives it back. */
type Row = Readonly<Record<string, unknown>>

/** How a database keeps a text that may hold any character. */
export interface TextColumns {
  write(text: string): string
  read(stored: unknown): string
}

/** The parts of a ticket that each store keeps in its own way. */
export interface OwnColumns {
  readonly event: Ticket['event']
  readonly outcome: Outcome | undefined
  /** Of the outcome; see `isAsWritten`. */
  readonly isAsWritten: boolean
}

/**
 * A ticket in columns and back, as far as both stores do the same; the event and the outcome are theirs. Reads any row:
 * a damaged one must not keep the others from being shown.
 */
export function createTicketColumns(texts: TextColumns) {
  return {
    /** The columns that a transition may change. */
    changing: (ticket: Ticket) => changingColumns(ticket, texts),
    /** The columns that stay as they were at the start. */
    lasting: (ticket: Ticket) => lastingColumns(ticket, texts),
    wantedBackend: (event: Ticket['event']) => wantedBackend(event, texts),
    ticketOf: (row: Row, own: OwnColumns) => ticketOf(row, own, texts),
    progress: (progress: Progress) => progressColumns(progress, texts),
    glanceOf: (row: Row) => glanceOf(row, texts),
  }
}

const textOrNull = (text: string | null | undefined, { write }: TextColumns) =>
  text == null ? null : write(text)

const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : storableTime(ms))

const changingColumns = (ticket: Ticket, texts: TextColumns) => ({
  id: ticket.id,
  status: ticket.state.status,
  token: ticket.token,
  runs: ticket.runs,
  run_log: ticket.runLog === undefined ? null : JSON.stringify(ticket.runLog),
  retries: ticket.retries,
  crashes: ticket.crashes,
  started_at: timeOrNull(ticket.startedAt),
  partial: textOrNull(ticket.partial, texts),
  // Those of a recorded event are part of its outcome.
  attempts: ticket.kind === 'event' ? '[]' : JSON.stringify(ticket.attempts),
  last_error: ticket.lastFailure?.error ?? null,
  last_details: textOrNull(ticket.lastFailure?.details, texts),
  ...waitingColumns(ticket),
  ...claimColumns(ticket.state, texts),
  ...endColumns(ticket, texts),
})

/** Only what there is news of. */
const progressColumns = ({ call, partial }: Progress, texts: TextColumns) => ({
  ...(call === undefined ? {} : callColumns(call, texts)),
  ...(partial === undefined ? {} : { partial: texts.write(partial) }),
})

const callColumns = (call: TicketCall | undefined, texts: TextColumns) => ({
  call_backend: textOrNull(call?.backend, texts),
  call_endpoint: textOrNull(call?.endpoint, texts),
  call_key: textOrNull(call?.key, texts),
  call_started_at: timeOrNull(call?.startedAt),
})

const lastingColumns = (ticket: Ticket, texts: TextColumns) => ({
  event_id: texts.write(ticket.eventId),
  kind: ticket.kind,
  caller: texts.write(ticket.caller),
  sender: texts.write(ticket.sender ?? ticket.caller),
  trace: ticket.trace === undefined ? null : JSON.stringify(ticket.trace),
  priority: ticket.priority,
  created_at: storableTime(ticket.createdAt),
  expires_at: timeOrNull(ticket.expiresAt),
  replay_of: textOrNull(ticket.replayOf, texts),
  door: textOrNull(ticket.door, texts),
  callback_url: textOrNull(ticket.callbackUrl, texts),
  wanted_backend: wantedBackend(ticket.event, texts),
  wants_stream: ticket.wantsStream ? 1 : 0,
  is_chat: ticket.isChat ? 1 : 0,
  prefix: (ticket.kind === 'ticket' ? prefixOf(ticket.event) : undefined) ?? null,
})

const wantedBackend = (event: Ticket['event'], texts: TextColumns) =>
  textOrNull(nameField(event, 'backend'), texts)

/** A retry stands behind those who became due before it; an interrupted ticket keeps its place. */
function waitingColumns({ state, createdAt, priority }: Ticket) {
  const notBefore = state.status === 'queued' ? storableTime(state.notBefore) : 0
  const pausedAt = state.status === 'queued' ? timeOrNull(state.pausedAt) : null
  return {
    not_before: notBefore,
    paused_at: pausedAt,
    rank: rankOf(Math.max(storableTime(createdAt), notBefore), priority),
  }
}

/**
 * It begins later than it was written, so it is not in line: a claim need not look at it. What is due goes by
 * `not_before` and `paused_at` alone; whoever claims puts in line first what is due by now.
 */
export const isHeldBack = ({ state, createdAt }: Ticket): boolean =>
  state.status === 'queued' && state.notBefore > (state.pausedAt ?? createdAt)

function claimColumns(state: TicketState, texts: TextColumns) {
  const claim = state.status === 'in_progress' ? state : undefined
  return {
    worker: textOrNull(claim?.owner.worker, texts),
    session: textOrNull(claim?.owner.session, texts),
    lease_until: timeOrNull(claim?.leaseUntil),
    cancel_requested_at: timeOrNull(claim?.cancelRequestedAt),
    ...callColumns(claim?.call, texts),
  }
}

function endColumns({ state, event }: Ticket, texts: TextColumns) {
  const outcome = 'outcome' in state ? state.outcome : undefined
  const answered = outcome?.error === undefined ? outcome : undefined
  const lastBackend = outcome?.attempts.at(-1)?.backend
  return {
    finished_at: 'finishedAt' in state ? storableTime(state.finishedAt) : null,
    error: outcome?.error ?? null,
    backend: textOrNull(answered?.backend ?? lastBackend ?? nameField(event, 'backend'), texts),
    model: textOrNull(answered?.model ?? nameField(event, 'model'), texts),
  }
}

/** The ticket that is due first. */
export const NEXT_DUE =
  "SELECT not_before, paused_at FROM tickets WHERE status = 'queued' ORDER BY not_before LIMIT 1"

/** Of that row. A wait that begins in the future means that the clock was set back: it is over. */
export const nextDueInMs = ({ not_before, paused_at }: Row, now: number): number => {
  const dueInMs = Number(not_before) - now
  return Number(paused_at ?? 0) > now ? Math.min(0, dueInMs) : dueInMs
}

/** The columns of a `TicketGlance`. */
export const GLANCE = 'status, token, runs, partial, call_key, cancel_requested_at'

function glanceOf(row: Row, { read }: TextColumns): TicketGlance {
  const status = TICKET_STATUSES.find((one) => one === row.status) ?? 'failed'
  return {
    status,
    token: Number(row.token),
    runs: Number(row.runs),
    ...(row.partial === null ? {} : { partial: read(row.partial) }),
    ...(status === 'in_progress' && row.call_key !== null ? { callKey: read(row.call_key) } : {}),
    isCancelling: status === 'in_progress' && row.cancel_requested_at !== null,
  }
}

function ticketOf(row: Row, own: OwnColumns, texts: TextColumns): Ticket {
  const { read } = texts
  const outcome = own.isAsWritten ? own.outcome : damaged(read(row.event_id))
  const startedAt = readTime(row.started_at)
  const expiresAt = readTime(row.expires_at)
  const lastError = row.last_error as FailureCode | null
  const isEvent = row.kind === 'event'
  const { event, trace } = readTrace(row, own.event)
  return {
    id: String(row.id),
    eventId: read(row.event_id),
    kind: isEvent ? 'event' : 'ticket',
    event,
    caller: read(row.caller),
    ...(isEvent || row.sender === '' || row.sender === row.caller ? {} : { sender: read(row.sender) }),
    ...(trace === undefined ? {} : { trace }),
    priority: Number(row.priority),
    createdAt: readTime(row.created_at) ?? 0,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(row.door == null ? {} : { door: read(row.door) }),
    ...(row.replay_of === null ? {} : { replayOf: read(row.replay_of) }),
    ...(row.callback_url === null ? {} : { callbackUrl: read(row.callback_url) }),
    ...(Number(row.wants_stream) === 1 ? { wantsStream: true } : {}),
    ...(Number(row.is_chat) === 1 ? { isChat: true } : {}),
    token: Number(row.token),
    runs: Number(row.runs),
    ...(row.run_log == null ? {} : { runLog: readObjects(row.run_log).flatMap(runOf) }),
    retries: Number(row.retries),
    crashes: Number(row.crashes),
    attempts: isEvent ? (outcome?.attempts ?? []) : attemptsOf(readObjects(row.attempts)),
    ...(row.partial === null ? {} : { partial: read(row.partial) }),
    ...(lastError === null
      ? {}
      : { lastFailure: { error: lastError, details: read(row.last_details ?? '') } }),
    state: stateOf(row, outcome, texts),
  }
}

function stateOf(row: Row, outcome: Outcome | undefined, texts: TextColumns): TicketState {
  const { read } = texts
  const { status } = row
  if (status === 'queued') {
    const pausedAt = readTime(row.paused_at)
    return {
      status,
      notBefore: readTime(row.not_before) ?? 0,
      ...(pausedAt === undefined ? {} : { pausedAt }),
    }
  }
  if (status === 'in_progress') {
    const call = callOf(row, texts)
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
  if (ended.completion !== undefined) return { status: 'completed', finishedAt, outcome: ended }
  return { status: status === 'cancelled' ? status : 'failed', finishedAt, outcome: ended }
}

function callOf(row: Row, { read }: TextColumns): TicketCall | undefined {
  if (row.call_key === null) return undefined
  return {
    backend: read(row.call_backend ?? ''),
    endpoint: read(row.call_endpoint ?? ''),
    key: read(row.call_key),
    startedAt: readTime(row.call_started_at) ?? 0,
  }
}

/** As a store keeps an outcome: its JSON, and where the text stands in a column of its own, that. */
export type StoredOutcome = readonly (string | null)[]

/**
 * What stands beside an outcome, so that a bit that flips on the disk is told and not handed out; CRC-32. With the id of
 * the ticket: the outcome of another one is none of this.
 */
export const checksumOf = (id: string, stored: StoredOutcome): number =>
  stored.reduce((sum, text) => crc32(text ?? '', crc32('\n', sum)), crc32(id))

/** False: it is not as it was written. An earlier release wrote no checksum. */
export const isAsWritten = (row: Row, stored: StoredOutcome): boolean =>
  row.outcome_crc == null || Number(row.outcome_crc) === checksumOf(String(row.id), stored)

/** An outcome from its JSON. `completion`: where the text stands in a column of its own. Undefined: it cannot be read. */
export function readOutcome(stored: unknown, completion?: string): Outcome | undefined {
  const value = readObject(stored)
  if (value === undefined) return undefined
  const attempts = attemptsOf(objectsOf(value.attempts))
  const whole = { ...value, attempts, ...(completion === undefined ? {} : { completion }) }
  const isOutcome = typeof whole.completion === 'string' || typeof value.error === 'string'
  // Only this store writes outcomes: the rest of one is as core made it, and the checksum says that it still is.
  return isOutcome ? (whole as unknown as SuccessOutcome | FailureOutcome) : undefined
}

/** Only this store writes them. What else stands there is shown as it stands: nothing is decided by it. */
/** An entry that nobody can read is left out. */
function runOf({ run, worker, claimedAt, endedAt, ended }: Record<string, unknown>): readonly TicketRun[] {
  const from = readTime(claimedAt)
  if (from === undefined || typeof worker !== 'string' || !Number.isSafeInteger(run)) return []
  const until = readTime(endedAt)
  return [
    {
      run: Number(run),
      worker,
      claimedAt: from,
      ...(until !== undefined && typeof ended === 'string' && { endedAt: until, ended: ended as never }),
    },
  ]
}

const attemptsOf = (values: readonly Record<string, unknown>[]) => values as unknown as AttemptRecord[]

const lost = (eventId: string, details: string): FailureOutcome => ({
  error: 'internal_error',
  details: `${details} Replay the ticket to run it again.`,
  id: eventId,
  duration_ms: 0,
  attempts: [],
})

/** Stands for an outcome that the store holds no more, or holds in a form that nobody can read. */
const unreadable = (eventId: string) =>
  lost(eventId, 'The outcome of this ticket cannot be read in the ticket store.')

/** Stands for one that is not as it was written. */
const damaged = (eventId: string) =>
  lost(eventId, 'The outcome of this ticket was damaged in the ticket store, so it is not handed out.')

/**
 * Releases before the column kept the trace inside the event; their rows, and those that such a release still writes beside
 * this one, have an empty text there. They are read as if it had always stood beside: to write them again would take
 * PostgreSQL 40 s for a million rows, and they are pruned before long.
 */
function readTrace(row: Row, event: Ticket['event']): Pick<Ticket, 'event' | 'trace'> {
  if (row.trace === null || row.kind === 'event') return { event }
  if (row.trace !== '') {
    const trace = readObject(row.trace) as Record<string, string> | undefined
    return { event, ...(trace && { trace }) }
  }
  const { traceparent, tracestate, ...rest } = event ?? {}
  if (event === null || typeof traceparent !== 'string') return { event }
  return { event: rest, trace: { traceparent, ...(typeof tracestate === 'string' && { tracestate }) } }
}

/** An event with a longer one has been refused: to lists its name is of no use, and they would hold all of it. */
const LONGEST_NAME = 256

function nameField(event: Ticket['event'], key: string): string | undefined {
  const value = event?.[key]
  return typeof value === 'string' && value.length <= LONGEST_NAME ? value : undefined
}

/** The ticket of an idempotency key. */
export interface KnownKey {
  readonly ticket: Ticket
  readonly fingerprint: string
  readonly until: number
}

export const knownKeyOf = (row: Row, ticket: Ticket): KnownKey => ({
  ticket,
  fingerprint: String(row.idempotency_fingerprint),
  until: Number(row.idempotency_until),
})

/** `oldest`: the row of the ticket that has waited longest, where one waits. */
export function statsOf(counted: ReadonlyMap<unknown, number>, oldest: Row | undefined): TicketStats {
  const byStatus = Object.fromEntries(TICKET_STATUSES.map((status) => [status, counted.get(status) ?? 0]))
  return {
    byStatus: byStatus as Record<TicketStatus, number>,
    ...(oldest === undefined ? {} : { oldestQueuedAt: Number(oldest.created_at) }),
  }
}
