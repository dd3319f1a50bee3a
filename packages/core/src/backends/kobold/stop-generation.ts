import { BackendError } from '../../contract/backend.ts'
import { type Clock, sleep } from '../../contract/clock.ts'
import { aborted, at, connectionError, stoppedError } from '../http/errors.ts'
import type { Step } from '../http/open-call.ts'
import type { Run } from './kobold-call.ts'
import type { AbortAnswer, PerfAnswer, SideAnswer, SideChannel } from './side-channel.ts'

/** How a generation is known to be over: its call ended, the server is idle, or the server is dead. */
export type Stopped = 'ended' | 'idle' | 'dead'

export interface StopOptions {
  readonly clock: Clock
  readonly side: SideChannel
  readonly key: string
  /**
   * Settles when the call has ended. Absent where the connection broke: then its end says nothing, for KoboldCPP
   * goes on generating after a plain call was closed.
   */
  readonly ended?: Promise<unknown>
  readonly intervalMs: number
  readonly deadAfterMs: number
  /** The backend is closed: nobody can be asked any more. */
  readonly closed: AbortSignal
}

/** An abort is answered after 0.1 s; a question that takes longer than this is asked again. */
const ASK_TIMEOUT_MS = 2000

/**
 * Stops a generation and returns when it is known to be over. The call stays open meanwhile: the abort is repeated,
 * because one that arrives before the server has read the call is lost. It does not give up on a server that goes on
 * working and answers: then the slot is rightly taken.
 */
export async function stopGeneration(options: StopOptions): Promise<Stopped> {
  const { clock, side, key, closed, intervalMs } = options
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, closed])
  const ended = options.ended?.then(
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
      const looks = Promise.all([side.abort(key, ask), side.perf(ask)]).then(([abort, perf]) => {
        const look = { abort, perf, now: clock.now(), open: ended !== undefined }
        return judgeStop(state, look, options.deadAfterMs)
      })
      if ((await first(looks)) === ENDED) return 'ended'
      const verdict = await looks
      if (typeof verdict === 'string') return verdict
      if (closed.aborted) return 'dead'
      state = verdict
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
}

interface StopLook {
  readonly abort: SideAnswer<AbortAnswer>
  readonly perf: SideAnswer<PerfAnswer>
  readonly now: number
  /** The call is still open. */
  readonly open: boolean
}

/**
 * What one round of asking says. An open call may not have been read yet, so that idle counts only when it is seen
 * twice; a broken one is over when the server is idle, or twice knows nothing of it.
 */
function judgeStop(state: StopState, look: StopLook, deadAfterMs: number): Stopped | StopState {
  const { abort, perf, now, open } = look
  if (abort.as === 'refused' || perf.as === 'refused') return 'dead'
  const answered = abort.as === 'answered' || perf.as === 'answered'
  const answeredAt = answered ? now : state.answeredAt
  if (now - answeredAt >= deadAfterMs) return 'dead'
  const idleSeen = perf.as === 'answered' && perf.value === 'idle' ? state.idleSeen + 1 : 0
  if (idleSeen >= (open ? 2 : 1)) return 'idle'
  const missing = abort.as === 'answered' && abort.value === 'not_found' ? state.missing + 1 : 0
  if (!open && missing >= 2) return 'ended'
  return { answeredAt, idleSeen, missing }
}

export interface GiveUpOptions {
  /** Settles when the call has ended. */
  readonly rest: Promise<unknown>
  /** The text that had come; asked only once the call has ended. */
  partial(): Promise<string | undefined> | string | undefined
}

/** The error for a call that brought no answer, after the server is known to have stopped working for it. */
export async function giveUp(
  run: Run,
  step: Exclude<Step<unknown>, { as: 'value' }>,
  { rest, partial }: GiveUpOptions,
): Promise<BackendError> {
  // Nobody may ask for it, and then its failure would count as unhandled.
  rest.catch(() => {})
  const { call, place } = run
  if (step.as === 'error') return breakOff(run, connectionError(place, step.error, call.sent()), partial)
  const { interrupt } = step
  if (interrupt === 'lost' || interrupt === 'dead') {
    call.hangUp()
    return interrupt === 'lost'
      ? new BackendError('lost', `${at(place)} is idle and will never answer this request.`, {
          stopped: 'idle',
        })
      : new BackendError('dead', `${at(place)} is silent, and so is its side channel.`, { stopped: 'dead' })
  }
  const stopped = call.sent() ? await stop(run, rest) : 'not_sent'
  call.hangUp()
  const text = stopped === 'ended' ? await partial() : undefined
  if (interrupt === 'aborted') return aborted(place, stopped, text)
  return new BackendError('stalled', `${at(place)} paused for too long between two tokens.`, {
    stopped,
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
  const stopped = await stop(run)
  const text = await partial()
  return stoppedError(error, stopped, text)
}

/** Stops the generation; `rest` is given while its call is open. */
export async function stop({ context, place, request }: Run, rest?: Promise<unknown>): Promise<Stopped> {
  const { clock, side, closed, abortIntervalMs, deadAfterMs, logger } = context
  const stopped = await stopGeneration({
    clock,
    side,
    closed,
    deadAfterMs,
    key: request.key,
    intervalMs: abortIntervalMs,
    ...(rest && { ended: rest }),
  })
  logger.debug('generation stopped', { ...place, genkey: request.key, stopped })
  return stopped
}
