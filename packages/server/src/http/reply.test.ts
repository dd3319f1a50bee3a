import { expect, test } from 'vitest'
import { failureOutcome, SUCCESS } from '../../test/fake-dispatcher.ts'
import { replyToFailure, replyToOutcome } from './reply.ts'

test('a success is 200 and the outcome itself', () => {
  expect(replyToOutcome(SUCCESS)).toEqual({ status: 200, headers: {}, body: SUCCESS })
})

test('a failure has the status of its code and the outcome itself', () => {
  const outcome = failureOutcome('deadline_exceeded', { partial: 'Once' })
  expect(replyToOutcome(outcome)).toEqual({ status: 504, headers: {}, body: outcome })
})

test.each([
  [undefined, '1'],
  [0, '1'],
  [1, '1'],
  [1_000, '1'],
  [1_001, '2'],
  [90_500, '91'],
])('Retry-After: %s ms is %s s', (retryAfterMs, seconds) => {
  const outcome = failureOutcome(
    'capacity_exceeded',
    retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs },
  )
  expect(replyToOutcome(outcome).headers).toEqual({ 'retry-after': seconds })
})

test('a failure at the edge is two keys', () => {
  expect(replyToFailure({ code: 'unauthorised', details: 'Send a key.' })).toEqual({
    status: 401,
    headers: { 'www-authenticate': 'Bearer' },
    body: { error: 'unauthorised', details: 'Send a key.' },
  })
})
