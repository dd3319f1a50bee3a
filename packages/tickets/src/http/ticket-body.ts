import type { AttemptRecord, FailureCode, Outcome, Usage } from '@ai-ticket/core'
import { type Delivery, type DeliveryError, type DeliveryStatus, webhookIdOf } from '../ticket/delivery.ts'
import { isFinished, type Ticket, type TicketRun, type TicketStatus } from '../ticket/ticket.ts'
import type { TicketRow } from '../ticket/ticket-row.ts'
import type { TicketStore } from '../ticket/ticket-store.ts'

/** A ticket as callers see it. Times are ISO 8601. */
export interface TicketBody {
  /** `tkt_` and a UUID. */
  id: string
  /** Always `ticket`. */
  object: 'ticket'
  /** The `id` of its event. */
  event_id: string
  /** `queued`, `in_progress`, `completed`, `failed` or `cancelled`. */
  status: TicketStatus
  /** `event`: it was answered at once, and is only recorded. */
  kind: 'ticket' | 'event'
  /** When it was accepted. */
  created_at: string
  /** Start of the first run. Null: it has not run yet. */
  started_at: string | null
  /** Null: it has not ended. */
  finished_at: string | null
  /** When the next run begins at the earliest, of a ticket that waits. */
  not_before?: string
  /** A ticket that has not begun to run by then fails. */
  expires_at?: string
  /** -100 to 100, higher first. */
  priority: number
  /** The name of the API key. */
  caller?: string
  /** The API through which it arrived, such as `event` or `anthropic`. Absent: an earlier release took it in, or nobody said. */
  door?: string
  /** The id of the ticket that it repeats. */
  replay_of?: string
  /** The callback that announces its end. */
  callback?: CallbackSummary
  /** How often it was given to a worker. */
  runs: number
  /** Each of those times, the newest last; of more than 100 the newest. Absent: none, or an earlier release ran it. */
  run_log?: readonly RunBody[]
  /** The current call, while it runs. */
  call?: { backend: string; endpoint: string; started_at: string }
  /** It runs, and was asked to stop then. */
  cancel_requested_at?: string
  /** Calls of all runs that have ended, in order. */
  attempts: readonly AttemptRecord[]
  /** Why it waits again. */
  last_failure?: { error: FailureCode; details: string }
  /** Text so far of the current run, or of the last one that broke off. */
  partial?: string
  /** Once it has ended: what `POST /event` would have answered. */
  outcome?: Outcome
  /** As it was sent, where it was asked for. Null where the history keeps no content. */
  event?: Readonly<Record<string, unknown>> | null
  /** Paths: `GET` `self`, `DELETE` `cancel`, `POST` to `replay`. */
  links: { self: string; cancel: string; replay: string }
}

/** One time that a worker had a ticket. Times are ISO 8601. */
interface RunBody {
  /** From 1; `run` of an attempt names it. */
  run: number
  /** The server that took it. */
  worker: string
  claimed_at: string
  /** Absent: it runs. */
  ended_at?: string
  /**
   * The state in which it left the ticket for good. Or why the ticket had to wait again: `retry` after a failure that
   * may pass, `interrupted` because the server closed, `crashed` because it died.
   */
  ended?: NonNullable<TicketRun['ended']>
}

export interface TicketBodyOptions {
  /** Of the address of the ticket. */
  readonly prefix: string
  /** With the event itself. */
  readonly event?: boolean
  /** Newer than the stored one. */
  readonly text?: string
  /** Of its callback. */
  readonly delivery?: Delivery | undefined
}

export function ticketBody(ticket: Ticket, options: TicketBodyOptions): TicketBody {
  const { state, expiresAt, lastFailure } = ticket
  const self = addressOf(ticket, options)
  const partial = options.text || ticket.partial
  const callback = callbackSummary(ticket, options.delivery)
  return {
    id: ticket.id,
    object: 'ticket',
    event_id: ticket.eventId,
    status: state.status,
    kind: ticket.kind,
    created_at: iso(ticket.createdAt),
    started_at: ticket.startedAt === undefined ? null : iso(ticket.startedAt),
    finished_at: 'finishedAt' in state ? iso(state.finishedAt) : null,
    ...(state.status === 'queued' ? { not_before: iso(state.notBefore) } : {}),
    ...(expiresAt === undefined ? {} : { expires_at: iso(expiresAt) }),
    priority: ticket.priority,
    ...(ticket.caller === '' ? {} : { caller: ticket.caller }),
    ...(ticket.door === undefined ? {} : { door: ticket.door }),
    ...(ticket.replayOf === undefined ? {} : { replay_of: ticket.replayOf }),
    ...(callback === undefined ? {} : { callback }),
    runs: ticket.runs,
    ...(ticket.runLog === undefined ? {} : { run_log: ticket.runLog.map(runBody) }),
    ...runningFields(ticket),
    attempts: ticket.attempts,
    ...(lastFailure === undefined ? {} : { last_failure: lastFailure }),
    ...(partial === undefined ? {} : { partial }),
    ...('outcome' in state ? { outcome: state.outcome } : {}),
    ...(options.event ? { event: ticket.event } : {}),
    links: { self, cancel: self, replay: `${self}/replay` },
  }
}

const runBody = ({ run, worker, claimedAt, endedAt, ended }: TicketRun): RunBody => ({
  run,
  worker,
  claimed_at: iso(claimedAt),
  ...(endedAt === undefined ? {} : { ended_at: iso(endedAt) }),
  ...(ended === undefined ? {} : { ended }),
})

/** A ticket in a list of rows: without its event and its outcome. Times are ISO 8601. */
export interface TicketRowBody {
  /** `tkt_` and a UUID. */
  id: string
  /** The `id` of its event. */
  event_id: string
  /** `event`: it was answered at once, and is only recorded. */
  kind: 'ticket' | 'event'
  /** `queued`, `in_progress`, `completed`, `failed` or `cancelled`. */
  status: TicketStatus
  /** When it was accepted. */
  created_at: string
  /** Of two with the same `created_at`, the greater one is first in a list. */
  seq: number
  /** Start of the first run. Null: it has not run yet. */
  started_at: string | null
  /** Null: it has not ended. */
  finished_at: string | null
  /** -100 to 100, higher first. */
  priority: number
  /** The name of the API key. */
  caller?: string
  /** The API through which it arrived. Absent: an earlier release took it in, or nobody said. */
  door?: string
  /** The id of the ticket that it repeats. */
  replay_of?: string
  /** How often it was given to a worker. */
  runs: number
  /** Calls of all runs that have ended. */
  attempts: number
  /** That of the call that runs, else of the answer, else the one that the event asks for. */
  backend?: string
  /** Of the answer; of one that has none yet, the model that its event asks for. */
  model?: string
  /** The failure code of the outcome. */
  error?: FailureCode
  /** From its acceptance to the start of its first run, and what the last run stood in line. Of one that has ended. */
  waited_ms?: number
  /** Of the last call that was streamed. */
  first_token_ms?: number
  /** Of the run that ended it, waiting in line included. */
  duration_ms?: number
  /** Tokens of the answer. Null: there is none, or the server does not know. */
  usage: Usage | null
  /** How long backends worked for nothing: calls that were sent and gave no answer. */
  wasted_ms: number
  /** Of its callback. */
  callback?: DeliveryStatus | 'waiting'
  /** The first 160 characters of what was asked; of a conversation, of the last turn of its user. Null: not kept. */
  prompt: string | null
  /** The first 160 characters of the answer. Null: there is none, or it is not kept. */
  answer: string | null
  /** Whether its content is kept; only then can it be replayed. */
  kept: boolean
}

/** A row of a store as callers see it. */
export function ticketRowBody(row: TicketRow): TicketRowBody {
  const { startedAt, finishedAt, summary, caller, replayOf, backend, model, error, callback } = row
  const { door, waitedMs, firstTokenMs, durationMs } = summary
  return {
    id: row.id,
    event_id: row.eventId,
    kind: row.kind,
    status: row.status,
    created_at: iso(row.createdAt),
    seq: row.seq,
    started_at: startedAt === undefined ? null : iso(startedAt),
    finished_at: finishedAt === undefined ? null : iso(finishedAt),
    priority: row.priority,
    ...(caller === '' ? {} : { caller }),
    ...(door === undefined ? {} : { door }),
    ...(replayOf === undefined ? {} : { replay_of: replayOf }),
    runs: row.runs,
    attempts: summary.attempts,
    ...(backend === undefined ? {} : { backend }),
    ...(model === undefined ? {} : { model }),
    // A code that a later release wrote is shown as well.
    ...(error === undefined ? {} : { error: error as FailureCode }),
    ...(waitedMs === undefined ? {} : { waited_ms: waitedMs }),
    ...(firstTokenMs === undefined ? {} : { first_token_ms: firstTokenMs }),
    ...(durationMs === undefined ? {} : { duration_ms: durationMs }),
    usage: summary.usage,
    wasted_ms: summary.wastedMs,
    ...(callback === undefined ? {} : { callback }),
    prompt: summary.prompt,
    answer: summary.answer,
    kept: summary.prompt !== null,
  }
}

export const addressOf = ({ id }: Ticket, { prefix }: { readonly prefix: string }): string =>
  `${prefix}/tickets/${id}`

/** The key of the call is the server's own business. */
function runningFields({ state }: Ticket): Pick<TicketBody, 'call' | 'cancel_requested_at'> {
  if (state.status !== 'in_progress') return {}
  const { call, cancelRequestedAt } = state
  return {
    ...(call === undefined
      ? {}
      : { call: { backend: call.backend, endpoint: call.endpoint, started_at: iso(call.startedAt) } }),
    ...(cancelRequestedAt === undefined ? {} : { cancel_requested_at: iso(cancelRequestedAt) }),
  }
}

const iso = (time: number): string => new Date(time).toISOString()

/** The callback of a ticket, in short. Times are ISO 8601. */
interface CallbackSummary {
  /** Without its query, which may hold secrets. */
  url: string
  /** `waiting`: the ticket has not ended. Absent where it was not looked up. */
  status?: DeliveryStatus | 'waiting'
  attempts: number
  next_attempt_at?: string
  last_error?: { error: DeliveryError; details: string }
}

/** The callback of a ticket, with every attempt. Times are ISO 8601. */
export interface CallbackBody extends CallbackStateBody {
  /** Always `callback`. */
  object: 'callback'
  /** Of the ticket whose end it announces. */
  ticket_id: string
  /** The `webhook-id` of every attempt. */
  webhook_id: string
  /** The newest last; the oldest of many are dropped. */
  attempts: CallbackAttemptBody[]
}

interface CallbackAttemptBody {
  at: string
  duration_ms: number
  /** Of the reply; null: there was none. */
  status: number | null
  error?: DeliveryError
  details?: string
}

/** Undefined: it has no `callback_url`. */
function callbackSummary(ticket: Ticket, delivery?: Delivery): CallbackSummary | undefined {
  if (ticket.callbackUrl === undefined) return undefined
  const { error, details = '' } = delivery?.attempts.at(-1) ?? {}
  return {
    ...stateOf(ticket, ticket.callbackUrl, delivery),
    attempts: delivery?.attempts.length ?? 0,
    ...(error === undefined ? {} : { last_error: { error, details } }),
  }
}

/** The same with every attempt. */
export function callbackBody(ticket: Ticket, url: string, delivery?: Delivery): CallbackBody {
  return {
    object: 'callback',
    ticket_id: ticket.id,
    webhook_id: webhookIdOf(ticket.id),
    ...stateOf(ticket, url, delivery),
    attempts: attemptsOf(delivery?.attempts ?? []),
  }
}

/** The same of a ticket that has ended, without a look at it. */
export const deliveryBody = ({ ticketId, url, status, dueAt, attempts }: Delivery): CallbackBody => ({
  object: 'callback',
  ticket_id: ticketId,
  webhook_id: webhookIdOf(ticketId),
  url: shownUrl(url),
  status,
  ...(status === 'pending' ? { next_attempt_at: iso(dueAt) } : {}),
  attempts: attemptsOf(attempts),
})

const attemptsOf = (attempts: Delivery['attempts']): CallbackAttemptBody[] =>
  attempts.map(({ at, durationMs, status = null, error, details }) => ({
    at: iso(at),
    duration_ms: durationMs,
    status,
    ...(error === undefined ? {} : { error }),
    ...(details === undefined ? {} : { details }),
  }))

type CallbackStateBody = Omit<CallbackSummary, 'attempts' | 'last_error'>

function stateOf(ticket: Ticket, url: string, delivery: Delivery | undefined): CallbackStateBody {
  const status = isFinished(ticket) ? delivery?.status : 'waiting'
  return {
    url: shownUrl(url),
    ...(status === undefined ? {} : { status }),
    ...(delivery?.status === 'pending' ? { next_attempt_at: iso(delivery.dueAt) } : {}),
  }
}

/** The deliveries of those tickets that have one; nothing is asked of the store where none can have. */
export async function deliveriesFor(
  { callbacks }: Pick<TicketStore, 'callbacks'>,
  tickets: readonly Ticket[],
): Promise<ReadonlyMap<string, Delivery>> {
  const ids = tickets.filter((ticket) => ticket.callbackUrl && isFinished(ticket)).map(({ id }) => id)
  return ids.length === 0 ? new Map() : await callbacks.find(ids)
}

function shownUrl(url: string): string {
  const { origin = '', pathname = '', search = '' } = URL.parse(url) ?? {}
  return `${origin}${pathname}${search === '' ? '' : '?***'}`
}
