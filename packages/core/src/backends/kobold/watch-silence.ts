import { type Clock, sleep } from '../../contract/clock.ts'
import { createIdleTimer, type IdleTimer } from '../http/open-call.ts'
import type { PerfAnswer, SideAnswer, SideChannel } from './side-channel.ts'

/** `lost`: the server is idle and will never answer. `dead`: it answers nothing at all. */
type SilenceVerdict = 'lost' | 'dead'

export interface SilenceOptions {
  readonly clock: Clock
  readonly side: Pick<SideChannel, 'perf'>
  readonly probeAfterMs: number
  readonly deadAfterMs: number
  onVerdict(verdict: SilenceVerdict): void
}

/** Between two looks at a silent server. */
const LOOK_EVERY_MS = 3000
const LOOK_TIMEOUT_MS = 5000

/**
 * Silence is not failure: a server that reads a long prompt, or lets us wait behind another client, sends nothing.
 * So after a while of silence it is asked whether it works; only one that is idle, or silent there too, is given up.
 */
export function watchSilence(options: SilenceOptions): IdleTimer {
  let looking: AbortController | undefined
  const stopLooking = () => {
    looking?.abort()
    looking = undefined
  }
  const timer = createIdleTimer({
    clock: options.clock,
    idleMs: options.probeAfterMs,
    onIdle() {
      looking = new AbortController()
      const { signal } = looking
      look(options, signal).then(
        (verdict) => signal.aborted || options.onVerdict(verdict),
        () => {}, // Something came meanwhile.
      )
    },
  })
  return {
    touch() {
      stopLooking()
      timer.touch()
    },
    pause() {
      stopLooking()
      timer.pause()
    },
    stop() {
      stopLooking()
      timer.stop()
    },
  }
}

async function look(options: SilenceOptions, signal: AbortSignal): Promise<SilenceVerdict> {
  const { clock, side, deadAfterMs } = options
  let state: SilenceState = { idleSeen: 0 }
  for (;;) {
    const unansweredSince = state.unansweredSince ?? clock.now()
    const left = unansweredSince + deadAfterMs - clock.now()
    const answer = await side.perf({ timeoutMs: Math.min(LOOK_TIMEOUT_MS, left), signal })
    signal.throwIfAborted()
    const verdict = judgeSilence({ ...state, unansweredSince }, { answer, now: clock.now() }, deadAfterMs)
    if (typeof verdict === 'string') return verdict
    state = verdict
    const rest = (state.unansweredSince ?? clock.now()) + deadAfterMs - clock.now()
    await sleep(clock, Math.min(LOOK_EVERY_MS, rest), signal)
  }
}

interface SilenceState {
  /** Looks in a row that found the server idle. */
  readonly idleSeen: number
  /** When the first of the looks in a row was made that nobody answered. */
  readonly unansweredSince?: number
}

interface SilenceLook {
  readonly answer: SideAnswer<PerfAnswer>
  readonly now: number
}

function judgeSilence(
  state: SilenceState,
  { answer, now }: SilenceLook,
  deadAfterMs: number,
): SilenceVerdict | SilenceState {
  if (answer.as === 'answered') {
    const idleSeen = answer.value === 'idle' ? state.idleSeen + 1 : 0
    return idleSeen >= 2 ? 'lost' : { idleSeen }
  }
  const unansweredSince = state.unansweredSince ?? now
  return now - unansweredSince >= deadAfterMs ? 'dead' : { idleSeen: 0, unansweredSince }
}
