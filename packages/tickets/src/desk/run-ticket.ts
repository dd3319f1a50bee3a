import { type AnnouncedCall, type EventOptions, FAILURES, type Outcome } from '@ai-ticket/core'
import { prefixOf } from '../ticket/new-ticket.ts'
import { keepTrying, StoreUnavailable } from '../ticket/store-unavailable.ts'
import { expiredOutcome, type Fence, hasText, type Release, type Ticket } from '../ticket/ticket.ts'
import type { ResolvedDeskOptions } from './desk-options.ts'

/** A ticket that this process runs. */
export interface ActiveRun {
  readonly ticket: Ticket
  readonly fence: Fence
  /** The text so far. */
  text: string
  /** A backend has been called: the ticket has its slot. */
  hasSlot: boolean
  /** Monotonic, of the claim. */
  readonly since: number
  readonly control: AbortController
  /** Why it was stopped; undefined: it was not. `lost`: another worker has the ticket, nothing may be recorded. */
  stopped: 'cancelled' | 'lost' | 'closing' | undefined
  /** Why the store did not take its outcome when it was last tried. */
  refused: StoreUnavailable | undefined
}

export const beginRun = (ticket: Ticket, since: number): ActiveRun => ({
  ticket,
  fence: { id: ticket.id, token: ticket.token },
  text: '',
  hasSlot: false,
  since,
  control: new AbortController(),
  stopped: undefined,
  refused: undefined,
})

export function stopRun(run: ActiveRun, why: NonNullable<ActiveRun['stopped']>): void {
  // A run that has lost its ticket has nothing left to cancel. Among the other reasons, the first one counts.
  if (why === 'lost' || run.stopped === undefined) run.stopped = why
  run.control.abort(new Error(`The run of the ticket was stopped: ${why}.`))
}

export interface RunEvents {
  /** Whether a reader follows the text of this ticket. Asked once, at the start of the run. */
  isRead(): boolean
  /** The text has grown. */
  onText(): void
  /** The backend is about to be called. */
  onSlot(): void
  /** The backend is free again; the outcome is not recorded yet. */
  onAnswered(outcome: Outcome): void
  /** Ends the waiting for a store that fails. */
  readonly giveUp: AbortSignal
}

/** Runs one claimed ticket and records how it ended. Never throws. */
export async function runTicket(
  run: ActiveRun,
  options: ResolvedDeskOptions,
  events: RunEvents,
): Promise<void> {
  const { store, logger, clock, random, retryDelaysMs } = options
  const { ticket, fence } = run
  const outcome = await answer(run, options, events)
  events.onAnswered(outcome)
  if (run.stopped === 'lost') {
    logger.warn('ticket lost', { ticket_id: ticket.id, event_id: ticket.eventId })
    return
  }
  const end = endOfRun(ticket, outcome, {
    now: clock.wallTime(),
    random: random(),
    retryDelaysMs,
    isCancelled: run.stopped === 'cancelled',
  })
  const write = async () => {
    try {
      return await (end.type === 'settle'
        ? store.settle(fence, end.outcome)
        : store.release(fence, end.release))
    } catch (error) {
      if (error instanceof StoreUnavailable) run.refused = error
      throw error
    }
  }
  const until = { clock, logger, signal: events.giveUp }
  // `keepTrying` logs why the store refuses.
  const written = await keepTrying(write, until)
    .catch(() => keepTrying(() => store.settle(fence, unrecordable(ticket)), until))
    .catch(() => false)
  if (written !== true)
    logger.warn('ticket outcome not recorded', { ticket_id: ticket.id, event_id: ticket.eventId })
}

/** The store works, and still refuses what was to be written: its ticket must not run again and again. */
const unrecordable = ({ eventId }: Ticket): Outcome => ({
  error: 'internal_error',
  details:
    'The outcome of this ticket could not be written to the ticket store. Replay the ticket to run it again.',
  id: eventId,
  duration_ms: 0,
  attempts: [],
})

async function answer(run: ActiveRun, options: ResolvedDeskOptions, events: RunEvents): Promise<Outcome> {
  const { ticket } = run
  // Claimed before anybody looked for those whose time is up.
  if ((ticket.expiresAt ?? Number.POSITIVE_INFINITY) <= options.clock.wallTime())
    return expiredOutcome(ticket)
  if (ticket.event === null) return lostEvent(ticket)
  let recorded: Outcome | undefined
  const prefix = prefixOf(ticket.event)
  const eventOptions: EventOptions = {
    signal: run.control.signal,
    caller: ticket.sender ?? ticket.caller,
    ...(prefix !== undefined && { prefix }),
    record: (outcome) => {
      recorded = outcome
    },
    reference: ticket.id,
    logFields: { ticket_id: ticket.id },
    door: ticket.door ?? 'tickets',
    ...(ticket.isChat && { takesAnyTurn: true, maxTokensIsCeiling: true }),
    // Data are not shown before the end of the ticket.
    partials: false,
    trace: { attributes: { 'ai_ticket.ticket.id': ticket.id } },
    ...(ticket.trace && { headers: ticket.trace }),
    beforeCall: (call) => announce(run, options, events, call),
  }
  // A stream costs KoboldCPP up to half a second: it is worth that only if the text is read.
  const isStreamed = hasText(ticket) && (ticket.wantsStream || events.isRead())
  try {
    if (!isStreamed) return await options.dispatcher.onEvent(ticket.event, eventOptions)
    return await readStream(run, options, { eventOptions, onText: events.onText })
  } catch (error) {
    // Stopped by us: the dispatcher gives back our reason, and the outcome has been told before.
    return recorded ?? unanswered(run, options, error)
  }
}

/** The outcome, and on the way to it the text so far. */
async function readStream(
  run: ActiveRun,
  options: ResolvedDeskOptions,
  { eventOptions, onText }: { readonly eventOptions: EventOptions; readonly onText: () => void },
): Promise<Outcome> {
  const given: unknown = run.ticket.event
  const saver = savePartial(run, options)
  try {
    for await (const event of options.dispatcher.streamEvent(given, eventOptions)) {
      if (event.type === 'done' || event.type === 'error') return event.outcome
      if (event.type !== 'delta') continue
      run.text += event.text
      onText()
      saver.changed()
    }
    throw new Error('The events ended without an outcome.')
  } finally {
    saver.cancel()
  }
}

/** A damaged row: there is nothing to send. */
const lostEvent = ({ eventId }: Ticket): Outcome => ({
  error: 'internal_error',
  details: 'The event of this ticket cannot be read in the ticket store. Send it again as a new event.',
  id: eventId,
  duration_ms: 0,
  attempts: [],
})

/** Only a desk that is closing throws; a bug must not lose the ticket either. */
function unanswered({ ticket, text }: ActiveRun, { logger }: ResolvedDeskOptions, error: unknown): Outcome {
  logger.warn('ticket interrupted', { ticket_id: ticket.id, event_id: ticket.eventId, error })
  return {
    error: 'shutting_down',
    details: 'The desk closed while the ticket ran.',
    id: ticket.eventId,
    duration_ms: 0,
    attempts: [],
    ...(text === '' ? {} : { partial: text }),
  }
}

/** On disk before the call is sent: after a crash the generation can be stopped by its key. */
async function announce(
  run: ActiveRun,
  { store, clock }: ResolvedDeskOptions,
  events: RunEvents,
  call: AnnouncedCall,
): Promise<void> {
  // Another attempt begins: its text is not a continuation.
  run.text = ''
  const startedAt = Math.trunc(clock.wallTime())
  if (!(await store.saveProgress(run.fence, { call: { ...call, startedAt } }))) {
    stopRun(run, 'lost')
    throw new Error('The ticket belongs to another worker.')
  }
  run.hasSlot = true
  events.onSlot()
}

/** Saves the text so far, at most once in `progressMs`. A store that fails here costs nothing but the partial text. */
function savePartial(run: ActiveRun, { store, clock, progressMs, logger }: ResolvedDeskOptions) {
  let timer: { cancel(): void } | undefined
  const save = async () => {
    timer = undefined
    try {
      if (!(await store.saveProgress(run.fence, { partial: run.text }))) stopRun(run, 'lost')
    } catch (error) {
      logger.debug('partial text not saved', { ticket_id: run.ticket.id, error })
    }
  }
  return {
    changed() {
      timer ??= clock.setTimer(() => void save(), progressMs)
    },
    cancel: () => timer?.cancel(),
  }
}

/** The fate of a ticket after a run. */
type EndOfRun =
  | { readonly type: 'settle'; readonly outcome: Outcome }
  | { readonly type: 'release'; readonly release: Release }

interface RunCircumstances {
  readonly now: number
  readonly random: number
  readonly retryDelaysMs: readonly number[]
  /** A caller has asked to cancel the ticket. */
  readonly isCancelled: boolean
}

/** A store or a line that refused gets a moment. */
const PAUSE_MS = 1_000

function endOfRun(ticket: Ticket, outcome: Outcome, at: RunCircumstances): EndOfRun {
  if (outcome.error === undefined) return { type: 'settle', outcome }
  const { error, details, attempts, partial } = outcome
  if (at.isCancelled)
    return { type: 'settle', outcome: { ...outcome, error: 'cancelled', details: CANCELLED } }
  const story = {
    attempts,
    lastFailure: { error, details },
    ...(partial === undefined ? {} : { partial }),
  }
  const { passes } = FAILURES[error]
  // Nobody cancelled the ticket, so it was the desk that ended its run: it costs no retry.
  if (passes === 'when_open' || error === 'cancelled') {
    const pause = error === 'store_unavailable' ? { pauseMs: PAUSE_MS } : {}
    return { type: 'release', release: { ...story, ...pause, reason: 'interrupted' } }
  }
  if (passes !== 'when_free' && passes !== 'perhaps') return { type: 'settle', outcome }
  const pauseMs = retryDelayMs(at.retryDelaysMs, {
    retries: ticket.retries,
    random: at.random,
    atLeastMs: outcome.retry_after_ms,
  })
  // A run would begin too late: the ticket ends with what it has.
  if (pauseMs === undefined || at.now + pauseMs >= (ticket.expiresAt ?? Number.POSITIVE_INFINITY)) {
    return { type: 'settle', outcome }
  }
  return { type: 'release', release: { ...story, pauseMs, reason: 'retry' } }
}

const CANCELLED = 'The ticket was cancelled while it ran.'

/** The pause after this many retries; undefined: there is no further one. Up to half of it is random, so that a crowd disperses. */
function retryDelayMs(
  delays: readonly number[],
  { retries, random, atLeastMs = 0 }: { retries: number; random: number; atLeastMs?: number | undefined },
): number | undefined {
  const delay = delays[retries]
  return delay === undefined ? undefined : Math.max(atLeastMs, Math.round(delay * (1 - random / 2)))
}
