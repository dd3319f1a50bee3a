import type { Backend } from '../contract/backend.ts'
import type { Clock } from '../contract/clock.ts'
import type { FailureCode } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { CallFailure } from '../event/run.ts'
import { endedBecause, type Run } from '../event/run.ts'
import type { CallSample, Station } from './backend-slots.ts'
import {
  type BackendStatus,
  onAnswered,
  onBusy,
  onCallFailed,
  onEventEnded,
  onStuck,
  onTrialStarted,
  onUnstuck,
} from './backend-state.ts'
import { modelOn } from './route.ts'

/** How an event leaves the backend that it called. */
export type Leaving =
  | { readonly type: 'answered'; readonly sample: CallSample }
  | { readonly type: 'failed'; readonly failure: CallFailure }
  /** Nothing was sent. */
  | { readonly type: 'unused' }
  /** `settled`: when the backend has stopped. The slot is taken until then. */
  | { readonly type: 'aborted'; readonly settled: Promise<void> }

/** A slot of a backend, taken by one event. */
export interface Seat {
  readonly backend: Backend
  /** The port is closed, and the server answered not long ago. */
  isLoading(): boolean
  mayRepeat(): boolean
  countCall(): void
  countRepeat(): void
  /** A call has failed; what follows is not decided yet. */
  failed(failure: CallFailure): void
  leave(leaving: Leaving): void
  /** Tokens that the backend holds; asks it where that is not known yet. */
  contextLength(): Promise<number | undefined>
  /** The name to send for the one that the event asks for; undefined: whatever the backend serves. */
  modelFor(model: string | undefined): string | undefined
}

interface SeatContext extends Pick<ResolvedOptions, 'clock' | 'tuning' | 'observer'> {
  readonly station: Station
  readonly run: Run
}

/** Takes a slot of the backend. `onFree` is called when it is free again, before others are served. */
export function openSeat({ station, run, clock, tuning, observer }: SeatContext, onFree: () => void): Seat {
  const isTrial = station.admits() !== 'yes'
  station.slots.take()
  if (isTrial) station.change(onTrialStarted(station.status))
  const free = (code: FailureCode | undefined) => {
    station.slots.release()
    onFree()
    station.change(onEventEnded(station.status, clock.now(), { code, trial: isTrial }))
  }
  return {
    backend: station.backend,
    isLoading: () => station.stateName() === 'loading',
    mayRepeat: () => !station.budget.spent(clock.now()),
    countCall: () => station.budget.recordCall(clock.now()),
    countRepeat: () => void station.budget.tryRepeat(clock.now()),
    async contextLength() {
      // One that was away when it was looked at may be back: it is asked again, but not by every event.
      if (!station.seen) await station.look(tuning.probeIntervalMs)
      return station.seen?.contextLength
    },
    modelFor: (model) => modelOn(station, model),
    failed: (failed) => station.change(statusAfter(station.status, failed, clock.now())),
    leave(leaving) {
      if (leaving.type === 'answered') {
        station.finished(leaving.sample)
        free(undefined)
      } else if (leaving.type === 'failed') free(leaving.failure.code)
      else if (leaving.type === 'unused') free('cancelled')
      else {
        const hold = holdUntil({ station, clock, stuckAfterMs: tuning.stuckAfterMs }, leaving.settled)
        const since = clock.now()
        void hold.then(() => {
          observer?.abandonedCallStopped({ backend: station.name, afterMs: clock.now() - since })
          free(endedBecause(run).code)
        })
      }
    },
  }
}

/** The caller has its outcome, the backend is still at work: the slot stays taken, and shows as stuck in time. */
async function holdUntil(
  { station, clock, stuckAfterMs }: { station: Station; clock: Clock; stuckAfterMs: number },
  settled: Promise<void>,
): Promise<void> {
  let isStuck = false
  const timer = clock.setTimer(() => {
    isStuck = true
    station.change(onStuck(station.status))
  }, stuckAfterMs)
  await settled
  timer.cancel()
  if (isStuck) station.change(onUnstuck(station.status))
}

function statusAfter(status: BackendStatus, { isBusy, kind, retryAfterMs }: CallFailure, now: number) {
  if (isBusy) return onBusy(status, now, retryAfterMs)
  return kind ? onCallFailed(status, now, kind) : onAnswered(status, now)
}
