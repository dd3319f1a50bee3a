import type { Clock } from '../../contract/clock.ts'
import { createIdleTimer, type IdleTimer } from './idle-timer.ts'

/**
 * Why a call is not waited for any longer. `finished`: its answer is whole, only its end mark does not come. `lost`
 * and `dead`: what a look at a silent server found.
 */
export type Interrupt = 'aborted' | 'stalled' | 'finished' | 'lost' | 'dead'

export type Step<Value> =
  | { readonly as: 'value'; readonly value: Value }
  | { readonly as: 'error'; readonly error: unknown }
  | { readonly as: 'interrupt'; readonly interrupt: Interrupt }

export interface CallGuard {
  /** One step of the call, or what came between. */
  wait<Value>(step: Promise<Value>): Promise<Step<Value>>
  /** Something came. */
  touch(): void
  /** The reader is busy: silence is not the server's. */
  pause(): void
  /** From now on the pause between tokens is limited. */
  limitPauses(): void
  /** The answer is whole; its end mark has this long to come. */
  finishWithin(delayMs: number): void
  release(): void
}

export interface GuardOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tokenTimeoutMs: number
  /** Looks after the server while it is silent, from the start. */
  watch?(stop: (reason: Interrupt) => void): IdleTimer
}

/** Waits for a call and for all that may end the waiting: the caller, silence, a pause between tokens. */
export function guardCall(options: GuardOptions): CallGuard {
  const { clock, signal } = options
  let interrupt: Interrupt | undefined
  let wake: (() => void) | undefined
  const stop = (reason: Interrupt) => {
    interrupt ??= reason
    wake?.()
  }
  const watch = options.watch?.(stop)
  const timers: IdleTimer[] = watch ? [watch] : []
  let limited = false
  const onAbort = () => stop('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  const limit = (idleMs: number, reason: Interrupt) => {
    timers.push(createIdleTimer({ clock, idleMs, onIdle: () => stop(reason) }))
  }
  return {
    wait: (step) =>
      new Promise((resolve) => {
        wake = () => resolve({ as: 'interrupt', interrupt: interrupt ?? 'aborted' })
        if (interrupt) wake()
        step.then(
          (value) => resolve({ as: 'value', value }),
          (error: unknown) => resolve({ as: 'error', error }),
        )
      }),
    touch() {
      for (const timer of timers) timer.touch()
    },
    pause() {
      for (const timer of timers) timer.pause()
    },
    limitPauses() {
      if (!limited) limit(options.tokenTimeoutMs, 'stalled')
      limited = true
    },
    finishWithin(delayMs) {
      limit(delayMs, 'finished')
    },
    release() {
      signal.removeEventListener('abort', onAbort)
      for (const timer of timers) timer.stop()
    },
  }
}
