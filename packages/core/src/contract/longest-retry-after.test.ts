import { expect, test } from 'vitest'
import { classify } from '../attempt/classify.ts'
import { BackendError } from './backend.ts'

test.each([
  [250, 250],
  [0.5, 1],
  [-5, 0],
  [1e300, 3_600_000],
  [Number.POSITIVE_INFINITY, 3_600_000],
  [Number.NaN, undefined],
])('an adapter that asks for a pause of %s ms gets %s', (retryAfterMs, expected) => {
  const error = new BackendError('status', 'busy', { reason: 'busy', retryAfterMs })
  expect(classify(error).retryAfterMs).toBe(expected)
})
