import { BackendError, type BackendErrorOptions, type GenerationRequest } from '../../contract/backend.ts'
import { type Clock, sleep } from '../../contract/clock.ts'
import { aborted, at, connectionError, stoppedError } from '../http/errors.ts'
import type { Step } from '../http/open-call.ts'
import type { KoboldContext, Run } from './kobold-call.ts'
import type { AbortAnswer, PerfAnswer, SideAnswer, SideChannel } from './side-channel.ts'

/**
 * How a generation is known to be over: its call ended, the server is idle, or the server is dead. `gone`: its port is
 * closed or breaks every connection, so its process has ended; a dead one may only have been stopped, and go on.
 */
export type Stopped = 'ended' | 'idle' | 'dead' | 'gone'

export interface StopOptions {
  readonly clock: Clock
  readonly side: SideChannel
  readonly key: string
  readonly intervalMs: number
  readonly deadAfterMs: number
  /** The backend is closed: nobody can be asked any more. */
  readonly closed: AbortSignal
  /** Absent where the connection broke: KoboldCPP goes on generating after a plain call was closed. */
  readonly call?: StoppedCall | undefined
}

/** A call that is still open. */
interface StoppedCall {
  /** Settles when it has ended. */
  readonly ended: Promise<unknown>
  /** How much text of it has come so far, in characters; absent for a plain call. */
  received?(): number
  hangUp(): void
  /** The server may be choosing a tool for it, and does not know its key meanwhile (fact 68). */
  readonly hidesKey: boolean
}

/** An abort is answered after 0.1 s; a question that takes longer than this is asked again. */
const ASK_TIMEOUT_MS = 2000

/**
 * Stops a generation and returns when it is known to be over. The call stays open meanwhile: the abort is repeated,
 * because one that arrives before the server has read the call is lost. It does not give up on a server that goes on
 * working and answers: then the slot is rightly taken.
 */
export async function stopGeneration(options: StopOptions): Promise<Stopped> {
  const { clock, side, key, closed, intervalMs, call } = options
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, closed])
  let ended = call?.ended.then(
    () => ENDED,
    () => ENDED,
  )
  const first = (step: Promise<unknown>) => (ended ? Promise.race([step, ended]) : step)
  let state: StopState = { answeredAt: clock.now(), idleSeen: 0, missing: 0 }
  try {
    for (;;) {
      // Ends early when all is over or the desk closes; both are looked at below.
      const pause = sleep(clock, intervalMs, signal).catch(() => {})
      const timeoutMs = Math.min(ASK_TIMEOUT_MS, state.answeredAt + options.deadAfterMs - clock.now())
      const ask = { timeoutMs, signal }
      const abort = side.abort(state.isHidden && call?.hidesKey ? undefined : key, ask)
      const looks = Promise.all([abort, side.perf(ask)]).then(([abort, perf]) => {
        const look = {
          abort,
          perf,
          now: clock.now(),
          open: ended !== undefined,
          received: call?.received?.(),
        }
        return judgeStop(state, look, options.deadAfterMs)
      })
      if ((await first(looks)) === ENDED) return 'ended'
      const verdict = await looks
      if (typeof verdict === 'string') return verdict
      if (closed.aborted) return 'dead'
      state = verdict
      if (state.closedAt !== undefined && ended) {
        // From now on its end is ours, not the server's.
        ended = undefined
        call?.hangUp()
      }
      if ((await first(pause)) === ENDED) return 'ended'
    }
  } finally {
    over.abort(ENDED)
  }
}

const ENDED = Symbol('ended')

interface StopState {
  /** When the server last answered anything. */
  readonly answeredAt: number
  /** Looks in a row that found the server idle. */
  readonly idleSeen: number
  /** Aborts in a row that found no such generation. */
  readonly missing: number
  /** Since when the server says that it stops the generation, and how much text had come until then. */
  readonly found?: { readonly since: number; readonly received: number } | undefined
  /** When the stream was closed, because the server does not obey. */
  readonly closedAt?: number | undefined
  /** Since when its perf has said nothing of how it is, as where a proxy lets only some addresses pass. */
  readonly unclearSince?: number | undefined
  /** One generation runs, nobody waits, and none has our key: it may be the choice of a tool for our call. */
  readonly isHidden?: boolean
}

interface StopLook {
  readonly abort: SideAnswer<AbortAnswer>
  readonly perf: SideAnswer<PerfAnswer>
  readonly now: number
  /** The call is still open. */
  readonly open: boolean
  /** Characters of its text, if it is a stream. */
  readonly received: number | undefined
}

/** An abort is obeyed within 0.5 s. If text comes for longer, the server has only said so (`--parallelrequests`, fact 31). */
const OBEYED_MS = 1000
/** Such a server stops 0.3 s after its stream was closed (fact 72). */
const CLOSED_MS = 1000
/** A call that was not found so often has been read meanwhile: it is under another key, or under none. */
const ENOUGH_MISSING = 2

/**
 * What one round of asking says. An open call may not have been read yet, so that idle counts only when it is seen
 * twice; a broken one is over when the server is idle, or twice knows nothing of it.
 */
function judgeStop(state: StopState, look: StopLook, deadAfterMs: number): Stopped | StopState {
  const { abort, perf, now, open, received } = look
  if (abort.as === 'refused' || perf.as === 'refused') return 'gone'
  const answered = abort.as === 'answered' || perf.as === 'answered'
  const answeredAt = answered ? now : state.answeredAt
  if (now - answeredAt >= deadAfterMs) return abort.as === 'broken' || perf.as === 'broken' ? 'gone' : 'dead'
  const load = perf.as === 'answered' ? perf.value : undefined
  const isClear = load !== undefined && load.state !== 'unclear'
  const unclearSince = isClear ? undefined : (state.unclearSince ?? now)
  // It was told often enough to stop, and nobody will say that it has: an abort is obeyed within seconds.
  if (!open && unclearSince !== undefined && now - unclearSince >= deadAfterMs) return 'ended'
  const idleSeen = load?.state === 'idle' ? state.idleSeen + 1 : 0
  if (idleSeen >= (open ? 2 : 1)) return 'idle'
  const missing = abort.as === 'answered' && abort.value === 'not_found' ? state.missing + 1 : 0
  if (!open && missing >= ENOUGH_MISSING) return 'ended'
  if (state.closedAt !== undefined) {
    return now - state.closedAt >= CLOSED_MS
      ? 'ended'
      : { ...state, answeredAt, idleSeen, missing, unclearSince }
  }
  const isFound = abort.as === 'answered' && abort.value === 'found'
  const found = isFound && received !== undefined ? (state.found ?? { since: now, received }) : undefined
  const isDisobeyed = found !== undefined && now - found.since >= OBEYED_MS && received !== found.received
  const isAlone = load?.state === 'busy' && load.queue === 0
  const isHidden = isAlone && (state.isHidden || missing >= ENOUGH_MISSING)
  return {
    answeredAt,
    idleSeen,
    missing,
    found,
    unclearSince,
    isHidden,
    ...(isDisobeyed && { closedAt: now }),
  }
}

export interface GiveUpOptions {
  /** Settles when the call has ended. */
  readonly rest: Promise<unknown>
  /** The text that had come; asked only once the call has ended. */
  partial(): Promise<string | undefined> | string | undefined
  /** How much text of a stream has come so far, in characters. */
  readonly received?: (() => number) | undefined
}

/** The error for a call that brought no answer, after the server is known to have stopped working for it. */
export async function giveUp(
  run: Run,
  step: Exclude<Step<unknown>, { as: 'value' }>,
  { rest, partial, received }: GiveUpOptions,
): Promise<BackendError> {
  // If nobody awaits it, its failure would count as unhandled.
  rest.catch(() => {})
  const { call, place } = run
  if (step.as === 'error') return breakOff(run, connectionError(place, step.error, call.sent()), partial)
  const { interrupt } = step
  if (interrupt === 'lost' || interrupt === 'dead') {
    call.hangUp()
    if (interrupt === 'dead') run.context.left.add(run.request.key)
    return interrupt === 'lost'
      ? new BackendError('lost', `${at(place)} is idle and will never answer this request.`, {
          stopped: 'idle',
        })
      : new BackendError('dead', `${at(place)} is silent, and so is its side channel.`, { stopped: 'dead' })
  }
  const end = call.sent() ? await stop(run, { rest, received }) : NOT_SENT
  call.hangUp()
  const text = end.stopped === 'ended' ? await partial() : undefined
  if (interrupt === 'aborted') return aborted(place, end.stopped, text)
  return new BackendError('stalled', `${at(place)} paused for too long between two tokens.`, {
    ...end,
    ...(text && { partial: text }),
  })
}

/** The connection broke. Where the request was written, the server may work on without it: it is stopped first. */
export async function breakOff(
  run: Run,
  error: BackendError,
  partial: GiveUpOptions['partial'],
): Promise<BackendError> {
  run.call.hangUp()
  if (error.stopped === 'not_sent') return error
  const end = await stop(run)
  const text = await partial()
  return stoppedError(error, end, text)
}

/** How a generation was stopped, and how long that took. */
type Halt = Required<Pick<BackendErrorOptions, 'stopped' | 'stoppedAfterMs'>>

/** Stops the generation; `rest` is given while its call is open. */
export async function stop(
  { context, place, request, call }: Run,
  open?: Pick<GiveUpOptions, 'rest' | 'received'>,
): Promise<Halt> {
  const { clock, side, closed, abortIntervalMs, deadAfterMs, logger, left, running } = context
  const since = clock.now()
  const how = await stopGeneration({
    clock,
    side,
    closed,
    deadAfterMs,
    key: request.key,
    intervalMs: abortIntervalMs,
    call: open && {
      ended: open.rest,
      ...(open.received && { received: open.received }),
      hangUp: () => call.hangUp(),
      hidesKey: choosesTool(request) && running.size === 1,
    },
  })
  // A process that was only stopped goes on with it as soon as it is woken.
  if (how === 'dead') left.add(request.key)
  logger.debug('generation stopped', { ...place, genkey: request.key, stopped: how })
  return { stopped: how === 'gone' ? 'dead' : how, stoppedAfterMs: clock.now() - since }
}

const NOT_SENT: Pick<BackendErrorOptions, 'stoppedAfterMs'> & { readonly stopped: 'not_sent' } = {
  stopped: 'not_sent',
}

/** Before a call with tools the server lets the model choose one, unless the caller names it. */
function choosesTool({ parameters }: GenerationRequest): boolean {
  const { tools, tool_choice: choice = 'auto' } = parameters
  return tools !== undefined && tools.length > 0 && (choice === 'auto' || choice === 'required')
}

/**
 * Stops what was given up while the server seemed dead: woken again, it would go on with answers that nobody waits for.
 * False: it still does not answer, or `signal` was aborted.
 */
export async function stopLeft(context: KoboldContext, signal: AbortSignal): Promise<boolean> {
  const { clock, side, closed, abortIntervalMs: intervalMs, deadAfterMs, left } = context
  const ending = AbortSignal.any([closed, signal])
  for (const key of [...left]) {
    if ((await stopGeneration({ clock, side, key, intervalMs, deadAfterMs, closed: ending })) === 'dead')
      return false
    left.delete(key)
  }
  return true
}
