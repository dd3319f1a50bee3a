import { expect, test } from 'vitest'
import { BackendError, type BackendErrorKind, type BackendErrorOptions } from '../contract/backend.ts'
import type { CallFailure } from '../event/run.ts'
import { classify, foundByDesk } from './classify.ts'
import { nextStep, type Situation, type Step } from './next-step.ts'

const START: Situation = {
  calls: 1,
  maxCalls: 3,
  hasNextEndpoint: true,
  hasOtherBackend: true,
  otherIsReady: true,
  isLoading: false,
  isHandedOn: false,
  timeLeftMs: 60_000,
  backoffMs: 300,
  mayRepeat: true,
  repairsLeft: 0,
  isEnforced: false,
}

const after = (
  kind: BackendErrorKind,
  options: BackendErrorOptions,
  situation: Partial<Situation> = {},
): Step => nextStep(classify(new BackendError(kind, 'failed', options)), { ...START, ...situation })

const REPEAT: Step = { type: 'repeat', afterMs: 300 }
const ENDPOINT: Step = { type: 'next_endpoint' }
const BACKEND: Step = { type: 'next_backend' }
const LINE: Step = { type: 'wait_in_line' }
const STOP: Step = { type: 'stop' }

test.each<[string, BackendErrorKind, BackendErrorOptions, Partial<Situation>, Step]>([
  ['a refusal ends the event', 'status', { status: 400 }, {}, STOP],
  [
    'an unknown model is asked of the next backend',
    'status',
    { status: 404, reason: 'model_unknown' },
    {},
    BACKEND,
  ],
  ['a missing endpoint leads to the next one', 'endpoint_missing', { status: 404 }, {}, ENDPOINT],
  [
    'the last missing endpoint leads to the next backend',
    'endpoint_missing',
    {},
    { hasNextEndpoint: false },
    BACKEND,
  ],
  ['a wrong key leads to the next backend', 'status', { status: 401 }, {}, BACKEND],
  [
    'a wrong key of the only backend ends the event',
    'status',
    { status: 401 },
    { hasOtherBackend: false },
    STOP,
  ],
  ['busy is asked again after a pause', 'status', { status: 503, reason: 'busy' }, {}, REPEAT],
  [
    'busy is asked again when the server says',
    'status',
    { status: 429, retryAfterMs: 7000 },
    {},
    { type: 'repeat', afterMs: 7000 },
  ],
  [
    'a Retry-After beyond the time left is not waited for',
    'status',
    { status: 429, retryAfterMs: 60_000 },
    {},
    BACKEND,
  ],
  ['nor in line', 'status', { status: 429, retryAfterMs: 60_000 }, { hasOtherBackend: false }, STOP],
  ['busy three times goes on', 'status', { status: 503, reason: 'busy' }, { calls: 3 }, BACKEND],
  [
    'the only busy backend is waited for in line',
    'status',
    { status: 503, reason: 'busy' },
    { calls: 3, hasOtherBackend: false },
    LINE,
  ],
  ['a failing server is asked again', 'status', { status: 500 }, {}, REPEAT],
  ['and then by its next endpoint', 'status', { status: 500 }, { calls: 3 }, ENDPOINT],
  ['a spent budget forbids to ask again', 'status', { status: 500 }, { mayRepeat: false }, ENDPOINT],
  ['a pause that outlives the event is none', 'status', { status: 500 }, { timeLeftMs: 300 }, ENDPOINT],
  ['a closed port leads to a ready backend at once', 'connect', {}, {}, BACKEND],
  ['a closed port is tried again where nobody else is ready', 'connect', {}, { otherIsReady: false }, REPEAT],
  ['a loading server is waited for', 'connect', {}, { isLoading: true, hasOtherBackend: false }, LINE],
  ['but not while another one is ready', 'connect', {}, { isLoading: true }, BACKEND],
  ['a dead server is not asked again', 'dead', {}, { otherIsReady: false }, BACKEND],
  ['a wrong shape leads to the next endpoint', 'wrong_shape', {}, {}, ENDPOINT],
  ['an interrupted stream is asked for again', 'interrupted', {}, {}, REPEAT],
  ['unless something was handed on', 'interrupted', {}, { isHandedOn: true }, STOP],
  ['nothing is repeated after a delta', 'status', { status: 500 }, { isHandedOn: true }, STOP],
  ['a prompt too long ends the event', 'status', { status: 400, reason: 'context_length' }, {}, STOP],
])('%s', (_name, kind, options, situation, step) => {
  expect(after(kind, options, situation)).toEqual(step)
})

test('what is no BackendError is a bug of the adapter, and no other backend pays for it', () => {
  const failed = classify(new TypeError('secret prompt'))
  expect(failed.code).toBe('internal_error')
  expect(failed.details).not.toContain('secret')
  expect(nextStep(failed, START)).toEqual(STOP)
})

const REPAIR: Step = { type: 'repair' }
const RELAX: Step = { type: 'relax' }
const mismatch = foundByDesk({ code: 'output_schema_mismatch', details: 'missed' })

test.each<[string, CallFailure, Partial<Situation>, Step]>([
  ['an answer that misses its schema is repaired', mismatch, { repairsLeft: 1 }, REPAIR],
  [
    'whatever calls and the retry budget say',
    mismatch,
    { repairsLeft: 1, calls: 9, mayRepeat: false },
    REPAIR,
  ],
  ['as long as repairs are left', mismatch, { repairsLeft: 0 }, STOP],
  ['but not one that would miss it again', { ...mismatch, isBeyondRepair: true }, { repairsLeft: 1 }, STOP],
])('%s', (_what, failed, situation, step) => {
  expect(nextStep(failed, { ...START, ...situation })).toEqual(step)
})

test.each<[string, BackendErrorKind, BackendErrorOptions, Partial<Situation>, Step]>([
  ['a schema that is refused is not sent again', 'status', { status: 400 }, { isEnforced: true }, RELAX],
  ['nor one that a backend cannot read', 'invalid_request', {}, { isEnforced: true }, RELAX],
  ['a refusal without a schema ends the event', 'status', { status: 400 }, { isEnforced: false }, STOP],
  [
    'an unknown model has nothing to do with the schema',
    'status',
    { status: 404, reason: 'model_unknown' },
    { isEnforced: true },
    BACKEND,
  ],
  [
    'nor has a prompt that is too long',
    'status',
    { status: 400, reason: 'context_length' },
    { isEnforced: true },
    STOP,
  ],
])('%s', (_what, kind, options, situation, step) => {
  expect(after(kind, options, situation)).toEqual(step)
})
