import type { AnnouncedCall, EventOptions, Outcome } from '@ai-ticket/core'
import { keepTrying, StoreUnavailable } from '../ticket/store-unavailable.ts'
import { expiredOutcome, type Fence, hasText, type Ticket } from '../ticket/ticket.ts'
import type { ResolvedDeskOptions } from './desk-options.ts'
import { endOfRun } from './end-of-run.ts'

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
  onAnswered(): void
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
  events.onAnswered()
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
  const eventOptions: EventOptions = {
    signal: run.control.signal,
    caller: ticket.sender ?? ticket.caller,
    record: (outcome) => {
      recorded = outcome
    },
    reference: ticket.id,
    logFields: { ticket_id: ticket.id },
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
