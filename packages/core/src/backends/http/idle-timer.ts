import type { Clock, Timer } from '../../contract/clock.ts'

export interface IdleTimer {
  /** Something came: the time starts anew. */
  touch(): void
  /** Nobody waits: silence does not count until the next touch. */
  pause(): void
  stop(): void
}

export interface IdleTimerOptions {
  clock: Clock
  idleMs: number
  /** Called once for each silence of `idleMs`. */
  onIdle(): void
}

/** Tells of silence. A touch only notes the time, so that it costs nothing to touch it at every token. */
export function createIdleTimer({ clock, idleMs, onIdle }: IdleTimerOptions): IdleTimer {
  let touchedAt = clock.now()
  let paused = false
  let stopped = false
  let timer: Timer | undefined
  const arm = (delayMs: number) => {
    timer = clock.setTimer(check, delayMs)
  }
  const check = () => {
    timer = undefined
    if (paused) return
    const left = touchedAt + idleMs - clock.now()
    if (left > 0) arm(left)
    else onIdle()
  }
  arm(idleMs)
  return {
    touch() {
      touchedAt = clock.now()
      paused = false
      if (!timer && !stopped) arm(idleMs)
    },
    pause() {
      paused = true
    },
    stop() {
      stopped = true
      timer?.cancel()
      timer = undefined
    },
  }
}
