import type { Backend } from '../contract/backend.ts'
import type { Clock } from '../contract/clock.ts'
import type { FailureCode } from '../contract/failure.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { CallFailure } from '../event/run.ts'
import { endedBecause, type Run } from '../event/run.ts'
import type { BackendSlots, CallSample } from './backend-slots.ts'
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
export interface Lease {
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

interface LeaseContext extends Pick<ResolvedOptions, 'clock' | 'tuning' | 'observer'> {
  readonly backendSlots: BackendSlots
  readonly run: Run
}

/** Takes a slot of the backend. `onFree` is called when it is free again, before others are served. */
export function openLease(
  { backendSlots, run, clock, tuning, observer }: LeaseContext,
  onFree: () => void,
): Lease {
  const isTrial = backendSlots.admits() !== 'yes'
  backendSlots.slots.take()
  if (isTrial) backendSlots.change(onTrialStarted(backendSlots.status))
  const free = (code: FailureCode | undefined) => {
    backendSlots.slots.release()
    onFree()
    backendSlots.change(onEventEnded(backendSlots.status, clock.now(), { code, trial: isTrial }))
  }
  return {
    backend: backendSlots.backend,
    isLoading: () => backendSlots.stateName() === 'loading',
    mayRepeat: () => !backendSlots.budget.spent(clock.now()),
    countCall: () => backendSlots.budget.recordCall(clock.now()),
    countRepeat: () => void backendSlots.budget.tryRepeat(clock.now()),
    async contextLength() {
      // One that was away when it was looked at may be back: it is asked again, but not by every event.
      if (!backendSlots.seen) await backendSlots.look(tuning.probeIntervalMs)
      return backendSlots.seen?.contextLength
    },
    modelFor: (model) => modelOn(backendSlots, model),
    failed: (failed) => backendSlots.change(statusAfter(backendSlots.status, failed, clock.now())),
    leave(leaving) {
      if (leaving.type === 'answered') {
        backendSlots.finished(leaving.sample)
        free(undefined)
      } else if (leaving.type === 'failed') free(leaving.failure.code)
      else if (leaving.type === 'unused') free('cancelled')
      else {
        const hold = holdUntil({ backendSlots, clock, stuckAfterMs: tuning.stuckAfterMs }, leaving.settled)
        const since = clock.now()
        void hold.then(() => {
          observer?.abandonedCallStopped({ backend: backendSlots.name, afterMs: clock.now() - since })
          free(endedBecause(run).code)
        })
      }
    },
  }
}

/** The caller has its outcome, the backend is still at work: the slot stays taken, and shows as stuck in time. */
async function holdUntil(
  { backendSlots, clock, stuckAfterMs }: { backendSlots: BackendSlots; clock: Clock; stuckAfterMs: number },
  settled: Promise<void>,
): Promise<void> {
  let isStuck = false
  const timer = clock.setTimer(() => {
    isStuck = true
    backendSlots.change(onStuck(backendSlots.status))
  }, stuckAfterMs)
  await settled
  timer.cancel()
  if (isStuck) backendSlots.change(onUnstuck(backendSlots.status))
}

function statusAfter(status: BackendStatus, { isBusy, kind, retryAfterMs }: CallFailure, now: number) {
  if (isBusy) return onBusy(status, now, retryAfterMs)
  return kind ? onCallFailed(status, now, kind) : onAnswered(status, now)
}
