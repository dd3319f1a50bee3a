import { type Clock, sleep } from '../../contract/clock.ts'
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

/** An abort is answered after 0.1 s; a question that takes longer than this is asked anew. */
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
export function judgeStop(state: StopState, look: StopLook, deadAfterMs: number): Stopped | StopState {
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
