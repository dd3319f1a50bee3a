import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BackendError } from '../contract/backend.ts'
import type { FailureCode } from '../contract/failure.ts'
import {
  admits,
  type BackendStatus,
  initialStatus,
  onAnswered,
  onBusy,
  onCallFailed,
  onEventEnded,
  onProbe,
  onStuck,
  onTrialStarted,
  onUnstuck,
  stateAt,
} from './backend-state.ts'

const free = { inFlight: 0, concurrency: 1 }
const refused = (status: BackendStatus, now: number) => onCallFailed(status, now, 'connect')
const failed = (status: BackendStatus, now: number, trial = false) =>
  onEventEnded(status, now, { code: 'api_connection_error', trial })
/** The first whole millisecond, from then on, at which an event is admitted; undefined: only news changes that. */
const admitsFrom = (status: BackendStatus, now: number): number | undefined => {
  let never = now - 1
  let then = now + 10_000_000
  if (admits(status, then) === 'no') return undefined
  while (then - never > 1) {
    const between = Math.floor((never + then) / 2)
    if (admits(status, between) === 'no') never = between
    else then = between
  }
  return then
}
const openedAt = (now: number) => failed(failed(failed(initialStatus(), now), now), now)

test('a backend nobody has heard of is unknown and may be asked', () => {
  expect(stateAt(initialStatus(), 0, free)).toBe('unknown')
  expect(admits(initialStatus(), 0)).toBe('yes')
})

test('an answer makes it ready, taken slots make it busy', () => {
  const status = onAnswered(initialStatus(), 0)
  expect(stateAt(status, 1, { inFlight: 1, concurrency: 2 })).toBe('ready')
  expect(stateAt(status, 1, { inFlight: 2, concurrency: 2 })).toBe('busy')
})

test('three events in a row that did not reach it open the breaker for 5 s, then one is the trial', () => {
  const two = failed(failed(initialStatus(), 0), 10)
  expect(admits(two, 10)).toBe('yes')
  const open = onEventEnded(two, 20, { code: 'api_timeout' })
  expect(stateAt(open, 20, free)).toBe('down')
  expect(admits(open, 5019)).toBe('no')
  expect(admitsFrom(open, 20)).toBe(5020)
  expect(admits(open, 5020)).toBe('trial')
  expect(admits(onTrialStarted(open), 9_999_999)).toBe('no')
})

test('every failed trial doubles the pause, up to a minute', () => {
  let status = openedAt(0)
  const pauses: number[] = []
  for (let trial = 0; trial < 6; trial += 1) {
    const now = admitsFrom(status, 0) ?? Number.NaN
    status = failed(onTrialStarted(status), now, true)
    pauses.push((admitsFrom(status, now) ?? Number.NaN) - now)
  }
  expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
})

test('any HTTP answer closes the breaker and forgets the failures before it', () => {
  const reopened = failed(onTrialStarted(openedAt(0)), 5000, true)
  const closed = onAnswered(reopened, 6000)
  expect(admits(closed, 6000)).toBe('yes')
  const again = failed(failed(failed(closed, 7000), 7000), 7000)
  expect(admitsFrom(again, 7000)).toBe(12_000)
})

test('an answered event between failed ones breaks the row, a cancelled one does not', () => {
  const answered = onEventEnded(failed(failed(initialStatus(), 0), 1), 2, { code: undefined })
  expect(admits(failed(answered, 3), 3)).toBe('yes')
  const cancelled = onEventEnded(failed(failed(initialStatus(), 0), 1), 2, { code: 'cancelled' })
  expect(admits(failed(cancelled, 3), 3)).toBe('no')
})

test('a trial that was cancelled leaves the place to the next one', () => {
  const trial = onTrialStarted(openedAt(0))
  const ended = onEventEnded(trial, 6000, { code: 'cancelled', trial: true })
  expect(admits(ended, 6000)).toBe('trial')
})

test('an event from before the opening neither ends the trial nor lengthens the pause', () => {
  const trial = onTrialStarted(openedAt(0))
  const late = failed(trial, 6000)
  expect(admits(late, 6000)).toBe('no')
  expect(admitsFrom(onEventEnded(late, 6000, { code: 'cancelled', trial: true }), 0)).toBe(5000)
})

test('a closed port counts as loading for 60 s after the last answer, then as down', () => {
  const status = refused(onAnswered(initialStatus(), 1000), 3000)
  expect(stateAt(status, 60_999, free)).toBe('loading')
  expect(admits(status, 60_999)).toBe('no')
  expect(admitsFrom(status, 3000)).toBe(61_000)
  expect(stateAt(status, 61_000, free)).toBe('down')
  expect(admits(status, 61_000)).toBe('yes')
})

test('a backend that never answered is down at once', () => {
  expect(stateAt(refused(initialStatus(), 3000), 3000, free)).toBe('down')
})

test('a server that cut off a long generation was alive until then, and may be loading', () => {
  const cutOff = onCallFailed(onAnswered(initialStatus(), 0), 300_000, 'disconnected')
  expect(stateAt(cutOff, 300_000, free)).toBe('unknown')
  expect(stateAt(refused(cutOff, 300_100), 300_100, free)).toBe('loading')
  expect(admitsFrom(refused(cutOff, 300_100), 300_100)).toBe(360_000)
})

test('loading goes before an open breaker: the probe, not an event, finds out', () => {
  let status = refused(onAnswered(initialStatus(), 0), 100)
  for (let event = 0; event < 3; event += 1) status = failed(status, 200)
  expect(stateAt(status, 6000, free)).toBe('loading')
  expect(admits(status, 6000)).toBe('no')
  expect(admits(status, 60_000)).toBe('trial')
  expect(stateAt(onProbe(status, 7000, { models: ['tiny'], idle: true }), 7000, free)).toBe('ready')
})

test('a backend that said "busy" is left alone for the hold, or until it is seen idle, and no longer', () => {
  const busy = onBusy(onAnswered(initialStatus(), 0), 1000)
  expect(stateAt(busy, 1000, free)).toBe('busy')
  expect(admits(busy, 1000)).toBe('no')
  const stillBusy = onProbe(busy, 4000, { models: [], idle: false })
  // Others keep it at work for good: it has free places all the same, and is tried when the hold is over.
  expect(admitsFrom(stillBusy, 4000)).toBe(6000)
  expect(admits(stillBusy, 5999)).toBe('no')
  expect(admits(onProbe(stillBusy, 5000, { models: [], idle: true }), 5000)).toBe('yes')
})

test('a backend that cannot say whether it is idle is asked again after its Retry-After', () => {
  const busy = onProbe(onBusy(initialStatus(), 0, { forMs: 20_000, isTold: false }), 1000, { models: [] })
  expect(admits(busy, 19_999)).toBe('no')
  expect(admits(busy, 20_000)).toBe('yes')
})

test("somebody else's generation shows as busy for a while and forbids nothing", () => {
  const status = onProbe(initialStatus(), 0, { models: ['tiny'], idle: false })
  expect(stateAt(status, 4999, free)).toBe('busy')
  expect(stateAt(status, 4999, { inFlight: 1, concurrency: 2 })).toBe('ready')
  expect(admits(status, 0)).toBe('yes')
  expect(stateAt(status, 5000, free)).toBe('ready')
})

test('a failed probe says what a failed call says, and a refused key is an answer', () => {
  const heard = onAnswered(initialStatus(), 0)
  expect(stateAt(onProbe(heard, 10, new BackendError('connect', 'refused')), 10, free)).toBe('loading')
  expect(stateAt(onProbe(heard, 10, new BackendError('dead', 'silent')), 10, free)).toBe('unknown')
  const refusedKey = new BackendError('status', 'refused key', { status: 401 })
  expect(stateAt(onProbe(initialStatus(), 10, refusedKey), 10, free)).toBe('ready')
})

test('a slot held by an unconfirmed stop shows as stuck until it is given back', () => {
  const stuck = onStuck(onStuck(onAnswered(initialStatus(), 0)))
  expect(stateAt(stuck, 0, { inFlight: 2, concurrency: 2 })).toBe('stuck')
  expect(stateAt(onUnstuck(stuck), 0, free)).toBe('stuck')
  expect(stateAt(onUnstuck(onUnstuck(onUnstuck(stuck))), 0, free)).toBe('ready')
})

test.each(['status', 'endpoint_missing', 'not_json', 'wrong_shape', 'lost', 'no_model'] as const)(
  'a failed call of the kind %s is an HTTP answer and closes the breaker',
  (kind) => {
    expect(admits(onCallFailed(openedAt(0), 1, kind), 1)).toBe('yes')
  },
)

test.each([
  'connect',
  'disconnected',
  'interrupted',
  'dead',
  'stalled',
  'invalid_request',
  'aborted',
] as const)('a failed call of the kind %s is no answer', (kind) => {
  expect(admits(onCallFailed(openedAt(0), 1, kind), 1)).toBe('no')
})

type Step = { afterMs: number } & (
  | { kind: 'answered' }
  | { kind: 'ended'; code: FailureCode | undefined }
  | { kind: 'trial_if_due' }
  | { kind: 'trial_ended'; code: FailureCode | undefined }
)

const code = fc.constantFrom<(FailureCode | undefined)[]>(
  'api_connection_error',
  'api_timeout',
  'api_connection_error',
  'cancelled',
  undefined,
)
const afterMs = fc.oneof(fc.nat(2000), fc.nat(70_000))
const breakerSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ afterMs, kind: fc.constant('answered' as const) }) },
    { weight: 6, arbitrary: fc.record({ afterMs, kind: fc.constant('ended' as const), code }) },
    { weight: 6, arbitrary: fc.record({ afterMs, kind: fc.constant('trial_if_due' as const) }) },
    { weight: 6, arbitrary: fc.record({ afterMs, kind: fc.constant('trial_ended' as const), code }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** The rule of the design, told as a story of plain variables. */
class NaiveBreaker {
  row = 0
  pausesServed = -1
  openUntil = Number.NEGATIVE_INFINITY
  trialOut = false
  admits(now: number) {
    if (this.pausesServed < 0) return 'yes'
    if (this.trialOut) return 'no'
    return now >= this.openUntil ? 'trial' : 'no'
  }
  answered() {
    this.row = 0
    this.pausesServed = -1
    this.trialOut = false
  }
  ended(now: number, ending: FailureCode | undefined, wasTrial: boolean) {
    if (ending === undefined) return this.answered()
    const unreached = ending !== 'cancelled'
    if (this.pausesServed < 0) {
      if (unreached) this.row += 1
      if (this.row >= 3) this.open(now)
    } else if (wasTrial) {
      this.trialOut = false
      if (unreached) this.open(now)
    }
  }
  open(now: number) {
    this.pausesServed += 1
    this.openUntil = now + Math.min(60_000, 5000 * 2 ** this.pausesServed)
  }
}

test('the breaker agrees with a naive reference on any course of events', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(breakerSteps, (steps) => {
      const naive = new NaiveBreaker()
      let status = initialStatus()
      let now = 0
      let trialOut = false
      for (const step of steps) {
        now += step.afterMs
        if (step.kind === 'answered') {
          naive.answered()
          status = onAnswered(status, now)
        } else if (step.kind === 'trial_if_due') {
          if (naive.admits(now) !== 'trial') continue
          naive.trialOut = true
          trialOut = true
          status = onTrialStarted(status)
        } else {
          const wasTrial = step.kind === 'trial_ended'
          if (wasTrial && !trialOut) continue
          if (wasTrial) trialOut = false
          naive.ended(now, step.code, wasTrial)
          status = onEventEnded(status, now, { code: step.code, trial: wasTrial })
        }
        seen.add(admits(status, now))
        expect(admits(status, now)).toBe(naive.admits(now))
        for (const later of [1000, 4999, 5000, 30_000, 60_000]) {
          expect(admits(status, now + later)).toBe(naive.admits(now + later))
        }
      }
    }),
    { numRuns: 300 },
  )
  expect([...seen].sort()).toEqual(['no', 'trial', 'yes'])
})

test('time alone ends a "no" once at most, and never brings one', () => {
  const kinds = fc.constantFrom('connect', 'disconnected', 'dead', 'busy', 'answered', 'ended')
  const moments = fc.array(fc.nat(100_000), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(fc.tuple(kinds, fc.nat(20_000)), { maxLength: 30 }), moments, (steps, laters) => {
      let status = initialStatus()
      let now = 0
      for (const [kind, later] of steps) {
        now += later
        if (kind === 'busy') status = onBusy(status, now)
        else if (kind === 'answered') status = onAnswered(status, now)
        else if (kind === 'ended') status = failed(status, now)
        else status = onCallFailed(status, now, kind as 'connect' | 'disconnected' | 'dead')
        const from = admitsFrom(status, now) ?? Number.POSITIVE_INFINITY
        for (const at of laters) expect(admits(status, now + at) === 'no').toBe(now + at < from)
      }
    }),
  )
})

test('a server that said when to come back is not asked before, idle or not', () => {
  const told = onBusy(initialStatus(), 0, { forMs: 3_000, isTold: true })
  const seen = onProbe(told, 1_000, { models: [], idle: true })
  expect(admits(seen, 2_999)).toBe('no')
  expect(admits(seen, 3_000)).toBe('yes')
  expect(admits(onProbe(onBusy(initialStatus(), 0), 1_000, { models: [], idle: true }), 1_000)).toBe('yes')
})
