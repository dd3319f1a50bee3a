import { BackendError, type BackendErrorKind, type BackendState } from '../contract/backend.ts'
import type { BackendHealth } from '../contract/dispatcher.ts'
import type { FailureCode } from '../contract/failure.ts'

export type BackendStateName = BackendHealth['state']

export interface BackendStatusOptions {
  /** So many events in a row whose last call failed to reach the backend open the breaker. Default 3. */
  readonly failuresToOpen: number
  /** How long the breaker stays open at first, in milliseconds; doubles with every failed trial. Default 5,000. */
  readonly openMs: number
  /** The longest it stays open, in milliseconds. Default 60,000. */
  readonly maxOpenMs: number
  /** So long after it was last heard, a backend that refuses connections counts as loading. Default 60,000 ms. */
  readonly loadingGraceMs: number
  /** So long, in milliseconds, a sight of somebody else's generation is taken for current. Default 5,000. */
  readonly busyHoldMs: number
}

/**
 * `refusedUntil`: it said "busy" to us, and where `isTold`, for how long; `occupiedUntil`: it was seen at work. Both end by
 * themselves.
 */
interface Answering {
  readonly kind: 'answering'
  readonly refusedUntil: number
  readonly isTold: boolean
  readonly occupiedUntil: number
}

/** What the last contact told. */
type Contact =
  | { readonly kind: 'none' }
  | Answering
  /** No connection: KoboldCPP's port is closed while it loads, too. */
  | { readonly kind: 'refusing' }
  /** It took a connection, and then fell silent or broke off. */
  | { readonly kind: 'silent' }

type Breaker =
  | { readonly kind: 'closed'; readonly failures: number }
  | {
      readonly kind: 'open'
      readonly until: number
      readonly lengthMs: number
      readonly trialRunning: boolean
    }

/** What the desk knows of one backend. A value: every function below gives back a new one. */
export interface BackendStatus {
  readonly options: BackendStatusOptions
  readonly contact: Contact
  readonly breaker: Breaker
  /** The last sign of life; undefined: it never gave one. */
  readonly heardAt: number | undefined
  /** Slots held by a generation that is not known to have stopped. */
  readonly stuckSlots: number
  /**
   * It answers, but wants another key, has no model, or answers a look with an error or with what no such server says: it is
   * asked last, until it has given an answer.
   */
  readonly unusable: 'unauthorised' | 'no_model' | 'failing' | undefined
  /** It gave a whole answer after a look had failed: such looks say nothing, until one is good again. */
  readonly worksAnyhow: boolean
}

/** `no`: not now. `trial`: one event may try whether it is back; tell `onTrialStarted`. */
export type Admission = 'yes' | 'trial' | 'no'

const DEFAULTS: BackendStatusOptions = {
  failuresToOpen: 3,
  openMs: 5000,
  maxOpenMs: 60_000,
  loadingGraceMs: 60_000,
  busyHoldMs: 5000,
}

const CLOSED: Breaker = { kind: 'closed', failures: 0 }
const IDLE: Answering = { kind: 'answering', refusedUntil: 0, isTold: false, occupiedUntil: 0 }

export function initialStatus(options: Partial<BackendStatusOptions> = {}): BackendStatus {
  return {
    options: { ...DEFAULTS, ...options },
    contact: { kind: 'none' },
    breaker: CLOSED,
    heardAt: undefined,
    stuckSlots: 0,
    unusable: undefined,
    worksAnyhow: false,
  }
}

/**
 * Any HTTP answer, an unwelcome status included: closes the breaker. A stream that began and then stalled is no
 * answer (else a server that always stalls would never be left alone): tell `onCallFailed` alone.
 */
export function onAnswered(status: BackendStatus, now: number): BackendStatus {
  return { ...status, contact: IDLE, breaker: CLOSED, heardAt: now }
}

/** The backend answered that it wants another key, or that it has no model, or not as one that works does. */
export function onUnusable(
  status: BackendStatus,
  unusable: NonNullable<BackendStatus['unusable']>,
): BackendStatus {
  return { ...status, unusable }
}

/** How long a busy backend is left alone. */
interface Hold {
  readonly forMs: number
  /** It said so itself: a sight of it idle does not shorten that. */
  readonly isTold: boolean
}

/** The backend answered that it is busy: nobody is sent there until the hold is over, or, unless told, it is seen idle. */
export function onBusy(status: BackendStatus, now: number, hold?: Hold): BackendStatus {
  const { forMs, isTold } = hold ?? { forMs: status.options.busyHoldMs, isTold: false }
  return { ...onAnswered(status, now), contact: { ...IDLE, refusedUntil: now + forMs, isTold } }
}

/**
 * A call or a probe did not end with a whole answer. Several kinds are HTTP answers all the same; a "busy" is better
 * told to `onBusy`. What our own side refused or aborted says nothing of the backend.
 */
export function onCallFailed(status: BackendStatus, now: number, kind: BackendErrorKind): BackendStatus {
  switch (kind) {
    case 'connect':
      return { ...status, contact: { kind: 'refusing' } }
    case 'disconnected':
    case 'interrupted':
      // A server that goes to load another model cuts off what it does. It was alive until now, and the grace runs
      // from here, not from an answer that may lie a long generation back.
      return {
        ...status,
        contact: { kind: 'silent' },
        heardAt: status.heardAt === undefined ? undefined : now,
      }
    case 'dead':
    case 'stalled':
      return { ...status, contact: { kind: 'silent' } }
    case 'invalid_request':
    case 'unsendable':
    case 'aborted':
      return status
    default:
      return onAnswered(status, now)
  }
}

/** What a look at the backend found. Only "idle" takes back that it is busy: a side channel answers always. */
export function onProbe(
  status: BackendStatus,
  now: number,
  found: BackendState | BackendError,
): BackendStatus {
  const failedProbe = found instanceof BackendError
  const heard = failedProbe ? onFailedLook(status, now, found) : onReported(status, now, found)
  if (heard.contact.kind !== 'answering') return heard
  const { contact } = status
  if (contact.kind === 'answering' && contact.isTold && now < contact.refusedUntil)
    return { ...heard, contact }
  if (!failedProbe && found.idle === true) return heard
  const refusedUntil = status.contact.kind === 'answering' ? status.contact.refusedUntil : 0
  if (failedProbe || found.idle === undefined) return { ...heard, contact: { ...IDLE, refusedUntil } }
  const occupiedUntil = now + status.options.busyHoldMs
  // A server that others keep at work is never seen idle, and has free places all the same: the hold is not prolonged.
  return { ...heard, contact: { ...IDLE, refusedUntil, occupiedUntil } }
}

function onFailedLook(status: BackendStatus, now: number, error: BackendError): BackendStatus {
  const heard = onCallFailed(status, now, error.kind)
  const isBroken = error.kind === 'status' && error.reason === undefined && (error.status ?? 0) >= 500
  const isOther = error.kind === 'wrong_shape'
  return (isBroken || isOther) && !status.worksAnyhow ? onUnusable(heard, 'failing') : heard
}

/** A server that lists its models without a key says nothing of ours, so a refusal stands until an answer. */
function onReported(
  status: BackendStatus,
  now: number,
  { authorised, hasModel }: BackendState,
): BackendStatus {
  const answered = { ...onAnswered(status, now), worksAnyhow: false }
  if (authorised === false) return onUnusable(answered, 'unauthorised')
  if (hasModel === false) return onUnusable(answered, 'no_model')
  const isSeenWell = authorised === true || hasModel === true || answered.unusable === 'failing'
  return isSeenWell ? { ...answered, unusable: undefined } : answered
}

/**
 * An event that called this backend is through with it. `code`: how its last call here ended, undefined for a whole
 * answer. `trial`: it was the one told to `onTrialStarted`. Counts events, not calls: the repeats of one unlucky event
 * must not take a backend from all others. An event that was cancelled or ran out of time proves nothing either way.
 */
export function onEventEnded(
  status: BackendStatus,
  now: number,
  { code, trial = false }: { readonly code: FailureCode | undefined; readonly trial?: boolean },
): BackendStatus {
  if (code === undefined) {
    const worksAnyhow = status.worksAnyhow || status.unusable === 'failing'
    return { ...onAnswered(status, now), unusable: undefined, worksAnyhow }
  }
  const unreached = code === 'api_connection_error' || code === 'api_timeout'
  return { ...status, breaker: breakerAfter(status, now, { unreached, trial }) }
}

function breakerAfter(
  { breaker, options }: BackendStatus,
  now: number,
  { unreached, trial }: { readonly unreached: boolean; readonly trial: boolean },
): Breaker {
  if (breaker.kind === 'open') {
    // Others that were under way when it opened neither lengthen the pause nor end the trial.
    if (!trial) return breaker
    return unreached ? opened(now, Math.min(breaker.lengthMs * 2, options.maxOpenMs)) : endTrial(breaker)
  }
  if (!unreached) return breaker
  const failures = breaker.failures + 1
  return failures >= options.failuresToOpen ? opened(now, options.openMs) : { kind: 'closed', failures }
}

const opened = (now: number, lengthMs: number): Breaker => ({
  kind: 'open',
  until: now + lengthMs,
  lengthMs,
  trialRunning: false,
})

const endTrial = (breaker: Breaker & { kind: 'open' }): Breaker => ({ ...breaker, trialRunning: false })

/** One event goes out to see whether the backend is back; no second one until `onEventEnded` tells of it. */
export function onTrialStarted(status: BackendStatus): BackendStatus {
  const { breaker } = status
  return breaker.kind === 'open' ? { ...status, breaker: { ...breaker, trialRunning: true } } : status
}

/** A caller has its outcome, but the generation is not known to have stopped: its slot stays taken. */
export function onStuck(status: BackendStatus): BackendStatus {
  return { ...status, stuckSlots: status.stuckSlots + 1 }
}

export function onUnstuck(status: BackendStatus): BackendStatus {
  return { ...status, stuckSlots: Math.max(0, status.stuckSlots - 1) }
}

/** The one word for it. To decide whether to send an event, ask `admits`. */
export function stateAt(
  status: BackendStatus,
  now: number,
  { inFlight, concurrency }: { readonly inFlight: number; readonly concurrency: number },
): BackendStateName {
  const { contact, breaker } = status
  if (status.stuckSlots > 0) return 'stuck'
  if (isLoading(status, now)) return 'loading'
  if (breaker.kind === 'open' || contact.kind === 'refusing') return 'down'
  if (contact.kind !== 'answering') return 'unknown'
  if (status.unusable) return 'down'
  const withOthers = inFlight === 0 && contact.occupiedUntil > now
  return inFlight >= concurrency || withOthers || contact.refusedUntil > now ? 'busy' : 'ready'
}

/**
 * When a backend that refuses connections ceased to count as loading. Undefined: it takes them, still counts as loading,
 * or never answered.
 */
export function goneSince({ contact, heardAt, options }: BackendStatus, now: number): number | undefined {
  if (contact.kind !== 'refusing' || heardAt === undefined) return undefined
  const since = heardAt + options.loadingGraceMs
  return since <= now ? since : undefined
}

/** Whether an event may be sent there, a free slot provided. */
export function admits(status: BackendStatus, now: number): Admission {
  const { contact, breaker } = status
  if (isLoading(status, now)) return 'no'
  if (breaker.kind === 'open') return breaker.trialRunning || now < breaker.until ? 'no' : 'trial'
  return contact.kind === 'answering' && now < contact.refusedUntil ? 'no' : 'yes'
}

/** True while the breaker is open and its trial, if one runs, has not ended. */
export const isOpen = ({ breaker }: BackendStatus): boolean => breaker.kind === 'open'

/** True while an event is out as the trial of an open breaker. */
export const isOnTrial = ({ breaker }: BackendStatus): boolean =>
  breaker.kind === 'open' && breaker.trialRunning

function isLoading({ contact, heardAt, options }: BackendStatus, now: number): boolean {
  return contact.kind === 'refusing' && heardAt !== undefined && now < heardAt + options.loadingGraceMs
}
