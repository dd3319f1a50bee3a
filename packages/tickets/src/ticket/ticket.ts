import type { AttemptRecord, FailureCode, FailureOutcome, Outcome, SuccessOutcome } from '@ai-ticket/core'
import { storableTime } from './stored-value.ts'

/** The words of OpenAI's background responses. */
export type TicketStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled'

export const TICKET_STATUSES: readonly TicketStatus[] = [
  'queued',
  'in_progress',
  'completed',
  'failed',
  'cancelled',
]

/** The worker of a ticket. `worker` stays the same over restarts, `session` is new for each process. */
export interface TicketOwner {
  /** Unique on its store. */
  readonly worker: string
  /** A UUID. */
  readonly session: string
}

/** A generation that was announced before it was sent: after a crash it is aborted by this key. */
export interface TicketCall {
  /** Its name. */
  readonly backend: string
  /** The name of the endpoint. */
  readonly endpoint: string
  /** Of this one generation. */
  readonly key: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

/** One time that a worker had the ticket. */
export interface TicketRun {
  /** From 1. */
  readonly run: number
  /** That took it. */
  readonly worker: string
  /** Milliseconds since 1970. */
  readonly claimedAt: number
  /** In milliseconds since 1970. Absent: it runs. */
  readonly endedAt?: number
  /** The state in which it left the ticket for good, or why the ticket had to wait again. */
  readonly ended?: 'completed' | 'failed' | 'cancelled' | Release['reason']
}

/** Of a ticket that is interrupted again and again, the newest. */
const RUNS_KEPT = 100

/** All times are milliseconds since 1970. */
export type TicketState =
  | {
      readonly status: 'queued'
      readonly notBefore: number
      /** When the wait began that the desk chose; absent: somebody asked for `notBefore`, and means that hour. */
      readonly pausedAt?: number
    }
  | {
      readonly status: 'in_progress'
      readonly owner: TicketOwner
      readonly leaseUntil: number
      readonly call?: TicketCall
      readonly cancelRequestedAt?: number
      /** Who had it before; said only by what takes it over, and kept nowhere. */
      readonly formerOwner?: TicketOwner
    }
  | { readonly status: 'completed'; readonly finishedAt: number; readonly outcome: SuccessOutcome }
  | { readonly status: 'failed' | 'cancelled'; readonly finishedAt: number; readonly outcome: FailureOutcome }

/** An accepted event and its whole story. A value: every transition below gives back a new one. */
export interface Ticket {
  /** `tkt_` and a UUID. */
  readonly id: string
  /** The `id` of its event. */
  readonly eventId: string
  /** `event`: was answered synchronously and only recorded. */
  readonly kind: 'ticket' | 'event'
  /** The event as JSON, its `id` included. Null where the history keeps no content. */
  readonly event: Readonly<Record<string, unknown>> | null
  /** Whose ticket it is: the name of the API key; empty without keys. */
  readonly caller: string
  /** Who takes turns with the others; absent: the caller. */
  readonly sender?: string
  /** Headers of the trace that has accepted it (`traceparent`, `tracestate`): a run hours later continues it. */
  readonly trace?: Readonly<Record<string, string>>
  /** -100 to 100, higher first. One step is worth 30 s of waiting. */
  readonly priority: number
  /** When it was accepted, in milliseconds since 1970, as all times here. */
  readonly createdAt: number
  /** Start of the first run. */
  readonly startedAt?: number
  /** A ticket that has not begun to run by then fails. */
  readonly expiresAt?: number
  /** The API by which it came in, as `EventOptions.door` of core. Absent: not said, or an earlier release took it in. */
  readonly door?: string
  /** The id of the ticket that it repeats. */
  readonly replayOf?: string
  /** The address that hears of its end, with the secrets in its query. */
  readonly callbackUrl?: string
  /** Its caller reads the text as it comes, from the start: its runs are streamed. Absent: false. */
  readonly wantsStream?: true
  /** It came in the format of a chat API: a turn of any role will do, and `max_tokens` is a ceiling. Absent: false. */
  readonly isChat?: true
  /** Grows with every change of owner; a worker with an older one has lost the ticket. */
  readonly token: number
  /** How often it was given to a worker. */
  readonly runs: number
  /** Its runs, the newest last; the oldest of more than 100 are dropped. Absent: none, or an earlier release ran it. */
  readonly runLog?: readonly TicketRun[]
  /** Runs that ended in a failure worth another try. */
  readonly retries: number
  /** Runs whose process died. */
  readonly crashes: number
  /** Of all runs that have ended. */
  readonly attempts: readonly AttemptRecord[]
  /** Text so far of the current run, or of the last one that broke off. */
  readonly partial?: string
  /** Why it waits again. */
  readonly lastFailure?: { readonly error: FailureCode; readonly details: string }
  /** Where it stands; with the outcome once it has ended. */
  readonly state: TicketState
}

/** The claim that a worker holds; it is needed to change a ticket. */
export interface Fence {
  /** Of the ticket. */
  readonly id: string
  /** Of the ticket when it was claimed. */
  readonly token: number
}

export interface Lease {
  readonly owner: TicketOwner
  readonly now: number
  readonly leaseMs: number
}

/** News of a run on its way. */
export interface Progress {
  /** The call that is about to be sent. Absent: as it was. */
  readonly call?: TicketCall
  /** The text so far, whole. */
  readonly partial?: string
}

/** How a run ends without an outcome. */
export interface Release {
  /** `interrupted`: the desk closes; it counts for nothing. `crashed`: the process that ran it has died. */
  readonly reason: 'retry' | 'interrupted' | 'crashed'
  /**
   * Milliseconds until it may run again, by the clock of the store: that of a worker may be wrong by hours. Default: at once,
   * in the place that it had.
   */
  readonly pauseMs?: number
  /** Of the run that has ended. Default: none. */
  readonly attempts?: readonly AttemptRecord[]
  /** The text so far. Default: what was saved before. */
  readonly partial?: string
  /** Why it waits again. Default: as it was. */
  readonly lastFailure?: { readonly error: FailureCode; readonly details: string }
}

/** A transition that does not apply gives back undefined. */
type Changed = Ticket | undefined

/** An answer with a schema is data that changes as a whole: it is not shown before its end. */
export const hasText = ({ event }: Ticket): boolean => event?.schema == null

export const isFinished = ({ state }: Ticket): boolean => 'finishedAt' in state

const isHeld = (ticket: Ticket, token: number): boolean =>
  ticket.state.status === 'in_progress' && ticket.token === token

/**
 * Its time has come. A wait that begins in the future means that the clock was set back: what nobody asked to wait for an
 * hour does not wait until the clock is there again.
 */
const isDue = (state: TicketState & { readonly status: 'queued' }, now: number): boolean =>
  state.notBefore <= now || (state.pausedAt !== undefined && state.pausedAt > now)

/** A worker takes a ticket that waits. */
export function claimTicket(ticket: Ticket, { owner, now, leaseMs }: Lease): Changed {
  if (ticket.state.status !== 'queued' || !isDue(ticket.state, now)) return undefined
  return {
    ...without(ticket, 'partial'),
    startedAt: ticket.startedAt ?? now,
    token: ticket.token + 1,
    runs: ticket.runs + 1,
    runLog: [
      ...(ticket.runLog ?? []).slice(1 - RUNS_KEPT),
      { run: ticket.runs + 1, worker: owner.worker, claimedAt: storableTime(now) },
    ],
    state: { status: 'in_progress', owner, leaseUntil: now + leaseMs },
  }
}

/** The run that is under way ends. Nothing changes where none is known of. */
function endRun({ runLog, runs }: Ticket, ended: NonNullable<TicketRun['ended']>, now: number) {
  const last = runLog?.at(-1)
  if (!runLog || last?.run !== runs || last.ended !== undefined) return {}
  return { runLog: [...runLog.slice(0, -1), { ...last, endedAt: storableTime(now), ended }] }
}

/** Which run the calls belong to. */
const ofRun = ({ runs: run }: Ticket, attempts: readonly AttemptRecord[]): readonly AttemptRecord[] =>
  attempts.map((attempt) => ({ ...attempt, run }))

/**
 * A worker takes over a ticket of a dead process: of its own earlier session at once, of another worker when the
 * lease is over. The call and the partial text are still there, the old holder can change nothing any more.
 */
export function adoptTicket(ticket: Ticket, { owner, now, leaseMs }: Lease): Changed {
  if (!isOrphan(ticket, { owner, now, leaseMs }) || ticket.state.status !== 'in_progress') return undefined
  const { owner: formerOwner } = ticket.state
  return {
    ...ticket,
    token: ticket.token + 1,
    state: { ...ticket.state, owner, leaseUntil: now + leaseMs, formerOwner },
  }
}

function isOrphan({ state }: Ticket, lease: Lease): boolean {
  if (state.status !== 'in_progress') return false
  const { worker, session } = lease.owner
  if (state.owner.worker === worker && state.owner.session !== session) return true
  return state.leaseUntil <= lease.now || state.leaseUntil > latestLease(lease)
}

/** No lease lasts longer: one that does was given before the clock was set back. */
export const latestLease = ({ now, leaseMs }: Pick<Lease, 'now' | 'leaseMs'>): number =>
  now + 10 * leaseMs + 3_600_000

/** The one recorded end. */
export function settleTicket(ticket: Ticket, token: number, outcome: Outcome, now: number): Changed {
  return isHeld(ticket, token) ? finish(ticket, outcome, now) : undefined
}

/** Gives the ticket back to the queue; one with a request to cancel ends here instead. */
export function releaseTicket(ticket: Ticket, token: number, release: Release, now: number): Changed {
  if (!isHeld(ticket, token) || ticket.state.status !== 'in_progress') return undefined
  const { call, cancelRequestedAt } = ticket.state
  // Created long ago means: due at once, and in its old place.
  const { reason, pauseMs } = release
  const notBefore = pauseMs === undefined ? Math.min(ticket.createdAt, now) : now + pauseMs
  const partial = release.partial ?? ticket.partial
  const lost = reason === 'crashed' && call !== undefined ? [lostAttempt(call, now)] : []
  const released: Ticket = {
    ...ticket,
    retries: ticket.retries + (reason === 'retry' ? 1 : 0),
    crashes: ticket.crashes + (reason === 'crashed' ? 1 : 0),
    ...endRun(ticket, reason, now),
    attempts: [...ticket.attempts, ...ofRun(ticket, [...(release.attempts ?? []), ...lost])],
    ...(partial === undefined ? {} : { partial }),
    ...(release.lastFailure === undefined ? {} : { lastFailure: release.lastFailure }),
    state: { status: 'queued', notBefore: storableTime(notBefore), pausedAt: now },
  }
  return cancelRequestedAt === undefined ? released : finish(released, cancelled(released), now)
}

/** Waiting: it ends here. Running: its worker is told to stop, and settles it. Finished: nothing to do. */
export function cancelTicket(ticket: Ticket, now: number): Changed {
  if (ticket.state.status === 'queued') return finish(ticket, cancelled(ticket), now)
  if (ticket.state.status !== 'in_progress' || ticket.state.cancelRequestedAt !== undefined) return undefined
  return { ...ticket, state: { ...ticket.state, cancelRequestedAt: now } }
}

/** A waiting ticket whose time is up, or whose next run would begin too late. */
export function expireTicket(ticket: Ticket, now: number): Changed {
  if (ticket.state.status !== 'queued' || ticket.expiresAt === undefined || ticket.expiresAt > now)
    return undefined
  return finish(ticket, expiredOutcome(ticket), now)
}

function finish(ticket: Ticket, outcome: Outcome, finishedAt: number): Ticket {
  const isRunning = ticket.state.status === 'in_progress'
  const failed = outcome.error === 'cancelled' ? 'cancelled' : 'failed'
  const finished = {
    ...without(ticket, 'lastFailure'),
    attempts: isRunning ? [...ticket.attempts, ...ofRun(ticket, outcome.attempts)] : ticket.attempts,
    ...(isRunning && endRun(ticket, outcome.error === undefined ? 'completed' : failed, finishedAt)),
  }
  if (outcome.error === undefined) {
    return { ...without(finished, 'partial'), state: { status: 'completed', finishedAt, outcome } }
  }
  return { ...finished, state: { status: failed, finishedAt, outcome } }
}

const endOf = (ticket: Ticket, error: FailureCode, details: string): FailureOutcome => ({
  error,
  details,
  id: ticket.eventId,
  duration_ms: 0,
  attempts: [],
  ...(ticket.partial === undefined ? {} : { partial: ticket.partial }),
})

const cancelled = (ticket: Ticket) => endOf(ticket, 'cancelled', 'The ticket was cancelled.')

/** How a ticket ends whose next run would begin too late. */
export const expiredOutcome = (ticket: Ticket): FailureOutcome =>
  endOf(
    ticket,
    'deadline_exceeded',
    ticket.lastFailure === undefined
      ? 'The ticket waited until its `expires_at` had passed.'
      : `The \`expires_at\` of the ticket has passed; its last run ended in ${ticket.lastFailure.error}.`,
  )

function lostAttempt({ backend, endpoint, startedAt }: TicketCall, now: number): AttemptRecord {
  return {
    backend,
    endpoint,
    number: 1,
    started_at: new Date(startedAt).toISOString(),
    duration_ms: Math.max(0, now - startedAt),
    waited_ms: 0,
    result: 'cancelled',
    details: 'The server died during this call; the generation was stopped by its key.',
  }
}

function without<Key extends 'partial' | 'lastFailure'>(ticket: Ticket, key: Key): Omit<Ticket, Key> {
  const { [key]: _left, ...rest } = ticket
  return rest
}
