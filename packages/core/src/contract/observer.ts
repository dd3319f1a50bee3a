import type { Logger } from './logger.ts'
import type { AttemptRecord, Outcome } from './outcome.ts'

/**
 * Hears what happens at the desk, as it happens: for metrics. Called in the middle of an event, so it must be quick;
 * what it throws is logged and otherwise ignored. What it is given belongs to the desk: read it, do not keep or change it.
 */
export interface Observer {
  /** An event came in, good or not. `eventEnded` follows. */
  eventStarted?(): void
  /** A call of a backend is over for its event. An aborted one may still be stopping: see `abandonedCallStopped`. */
  attemptEnded?(attempt: Readonly<AttemptRecord>): void
  /** A call whose event had ended before it has stopped now. Until then the backend worked for nobody. */
  abandonedCallStopped?(call: AbandonedCall): void
  /** An event has its outcome, whatever it is. Called once for each. */
  eventEnded?(outcome: Outcome, timing: EventTiming): void
}

/** A call that went on after its event had ended. */
export interface AbandonedCall {
  /** The name of the backend. */
  readonly backend: string
  /** Milliseconds from the end of the event until the backend was known to have stopped. */
  readonly afterMs: number
}

/** Where the time of an event went, beside its attempts, and where it came from. */
export interface EventTiming {
  /** Milliseconds in the waiting line. */
  readonly waitedMs: number
  /** Of them, milliseconds since an event behind it was served first because its prompt was warm. 0: none was. */
  readonly overtakenMs: number
  /** `EventOptions.door`. */
  readonly door?: string
}

const nothing = () => {}

/** An observer with every method, none of which throws. */
export function guardObserver(observer: Observer, logger: Logger): Required<Observer> {
  const guard = <Parameters extends unknown[]>(
    name: keyof Observer,
    tell: ((...told: Parameters) => void) | undefined,
  ) => {
    if (!tell) return nothing
    return (...told: Parameters) => {
      try {
        tell.apply(observer, told)
      } catch (error) {
        logger.error('the observer threw', { callback: name, error })
      }
    }
  }
  return {
    eventStarted: guard('eventStarted', observer.eventStarted),
    attemptEnded: guard('attemptEnded', observer.attemptEnded),
    abandonedCallStopped: guard('abandonedCallStopped', observer.abandonedCallStopped),
    eventEnded: guard('eventEnded', observer.eventEnded),
  }
}
