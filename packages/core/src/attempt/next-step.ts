import { FAILURES } from '../contract/failure.ts'
import type { CallFailure } from '../event/run.ts'

/** Where an event stands when a call has failed. */
export interface Situation {
  /** Calls of this endpoint so far under this lease, the failed one included; without those that asked for a repair. */
  readonly calls: number
  /** The most calls of one endpoint. */
  readonly maxCalls: number
  /** More endpoints of this backend can carry the request. */
  readonly hasNextEndpoint: boolean
  /** Another backend has not been tried yet and may be asked. */
  readonly hasOtherBackend: boolean
  /** That backend is known to answer. */
  readonly otherIsReady: boolean
  /** Its port is closed, and it answered not long ago: it loads a model. */
  readonly isLoading: boolean
  /** A delta has been handed on: nothing can be taken back. */
  readonly isHandedOn: boolean
  /** Until the deadline of the event, in milliseconds. */
  readonly timeLeftMs: number
  /** The pause before the next repeat, in milliseconds. */
  readonly backoffMs: number
  /** False when the retry budget of the backend is spent. */
  readonly mayRepeat: boolean
  /** How often the model may still be asked to correct its answer. */
  readonly repairsLeft: number
  /** The call asked the backend to enforce a schema. */
  readonly isEnforced: boolean
}

export type Step =
  | { readonly type: 'repeat'; readonly afterMs: number }
  /** Once more with the wrong answer and what is wrong with it. */
  | { readonly type: 'repair' }
  /** Once more, without asking the backend to enforce the schema. */
  | { readonly type: 'relax' }
  | { readonly type: 'next_endpoint' }
  | { readonly type: 'next_backend' }
  /** Back to the head of the line, until the backend is seen idle. */
  | { readonly type: 'wait_in_line' }
  | { readonly type: 'stop' }

/** A step for which the lease is kept. */
export type SameBackendStep = Extract<Step, { type: 'repeat' | 'repair' | 'relax' | 'next_endpoint' }>

export const staysAtBackend = (step: Step): step is SameBackendStep =>
  step.type === 'repeat' || step.type === 'repair' || step.type === 'relax' || step.type === 'next_endpoint'

/** The one decision of the attempt loop, by the table of codes. Pure. */
export function nextStep(failure: CallFailure, situation: Situation): Step {
  if (situation.isHandedOn) return { type: 'stop' }
  if (situation.isLoading && !(situation.hasOtherBackend && situation.otherIsReady))
    return { type: 'wait_in_line' }
  if (situation.isEnforced && refusesSchema(failure)) return { type: 'relax' }
  const repeat = repeatStep(failure, situation)
  if (repeat) return repeat
  if (failure.endpointMissing) return fromNextEndpoint(situation)
  if (failure.modelUnknown) return fromNextBackend(situation)
  switch (FAILURES[failure.code].next) {
    case 'next_endpoint':
      return fromNextEndpoint(situation)
    case 'next_backend':
      return fromNextBackend(situation)
    case 'wait_in_line':
      if (situation.hasOtherBackend) return { type: 'next_backend' }
      return isInTime(failure.retryAfterMs ?? 0, situation) ? { type: 'wait_in_line' } : { type: 'stop' }
    case 'stop':
      return { type: 'stop' }
  }
}

/** A server that cannot take a schema refuses the whole request; without it the same request may be taken. */
function refusesSchema({ code, kind, modelUnknown }: CallFailure): boolean {
  return code === 'api_client_error' && (kind === 'status' || kind === 'invalid_request') && !modelUnknown
}

function repeatStep(failure: CallFailure, situation: Situation): Step | undefined {
  if (FAILURES[failure.code].repeat === 'repair') {
    return situation.repairsLeft > 0 && !failure.isBeyondRepair ? { type: 'repair' } : undefined
  }
  if (failure.endpointMissing || situation.calls >= situation.maxCalls || !situation.mayRepeat)
    return undefined
  const rule = FAILURES[failure.code].repeat
  if (rule === 'when_alone') {
    if (failure.isBeyondRepair || (situation.hasOtherBackend && situation.otherIsReady)) return undefined
  } else if (rule !== 'paced') return undefined
  const afterMs = failure.retryAfterMs ?? situation.backoffMs
  // A pause that outlives the event would only end it later.
  return isInTime(afterMs, situation) ? { type: 'repeat', afterMs } : undefined
}

const isInTime = (afterMs: number, { timeLeftMs }: Situation) => afterMs < timeLeftMs

const fromNextEndpoint = (situation: Situation): Step =>
  situation.hasNextEndpoint ? { type: 'next_endpoint' } : fromNextBackend(situation)

const fromNextBackend = (situation: Situation): Step =>
  situation.hasOtherBackend ? { type: 'next_backend' } : { type: 'stop' }

export interface BackoffOptions {
  /** Upper limit of the first pause, in milliseconds. Default 500. */
  readonly baseMs?: number
  /** No pause is longer, in milliseconds. Default 8,000. */
  readonly capMs?: number
}

/**
 * The pause before the n-th repeat (1 is the first), in whole milliseconds: exponential with full jitter, so that
 * callers who failed together do not come back together. `random` is a number in [0, 1). A Retry-After of the server
 * takes precedence and is not considered here.
 */
export function backoffMs(
  { repeat, random }: { readonly repeat: number; readonly random: number },
  { baseMs = 500, capMs = 8000 }: BackoffOptions = {},
): number {
  const limitMs = Math.min(capMs, baseMs * 2 ** Math.max(0, repeat - 1))
  return Math.floor(limitMs * random)
}
