import type { Clock, Timer } from '../../contract/clock.ts'
import type { GenerationCall, HttpClient } from './client.ts'
import type { HangUp } from './pool-fetch.ts'

export interface OpenCall {
  readonly response: Promise<Response>
  /** Whether the server may have got something of the request. */
  sent(): boolean
  /** Closes the connection, which stops most servers; a plain call of KoboldCPP works on. */
  hangUp(): void
  /**
   * The answer is whole: reads its stream to the end of the reply, in the background, and closes only what does not
   * end. A connection that is closed before cannot serve the next call.
   */
  letEnd(events: AsyncGenerator<unknown>, clock: Clock): void
}

/** Given as the reason, for making an error at each call costs more than all the rest of closing. */
const HUNG_UP = new Error('The call was closed.')

/** After the last event of an answer its reply ends at once or not at all. */
const END_MS = 200

export function openCall(client: HttpClient, call: Omit<GenerationCall, 'onSent'>): OpenCall {
  let hangUp: HangUp | undefined
  let isClosed = false
  let ending = false
  const onSent = (given: HangUp) => {
    hangUp = given
    // It waited for a connection until now.
    if (isClosed) hangUp(HUNG_UP)
  }
  const close = () => {
    isClosed = true
    hangUp?.(HUNG_UP)
  }
  return {
    response: client.generate({ ...call, onSent }),
    sent: () => hangUp !== undefined,
    hangUp() {
      if (!ending) close()
    },
    letEnd(events, clock) {
      ending = true
      const timer = clock.setTimer(close, END_MS)
      readToEnd(events).finally(() => timer.cancel())
    },
  }
}

async function readToEnd(events: AsyncGenerator<unknown>): Promise<void> {
  try {
    while (!(await events.next()).done);
  } catch {
    // The answer is whole: how its connection ends does not matter.
  }
}

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
  /** It was not whole: more has come. */
  goOn(): void
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
  let finishing: IdleTimer | undefined
  const onAbort = () => stop('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  const limit = (idleMs: number, reason: Interrupt) => {
    const timer = createIdleTimer({ clock, idleMs, onIdle: () => stop(reason) })
    timers.push(timer)
    return timer
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
      finishing ??= limit(delayMs, 'finished')
    },
    goOn() {
      finishing?.stop()
      finishing = undefined
    },
    release() {
      signal.removeEventListener('abort', onAbort)
      for (const timer of timers) timer.stop()
    },
  }
}

export interface IdleTimer {
  /** Something came: the time starts again. */
  touch(): void
  /** The reader does not wait: silence does not count until the next touch. */
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
