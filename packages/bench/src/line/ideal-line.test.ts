import { expect, test } from 'vitest'
import { idealBurst, idealLoop, mean, percentile } from './ideal-line.ts'

test('in a burst every round of the servers waits one service time more', () => {
  expect(idealBurst(5, { count: 2, serviceMs: 10 })).toEqual([0, 0, 10, 10, 20])
})

test('who comes again waits for one event of every other caller', () => {
  // Four callers on two servers: served two by two, each behind the two others.
  expect(idealLoop(4, 2, { count: 2, serviceMs: 10 })).toEqual([0, 0, 10, 10, 10, 10, 10, 10])
  expect(idealLoop(2, 2, { count: 2, serviceMs: 10 })).toEqual([0, 0, 0, 0])
})

test('mean and percentile', () => {
  const values = [4, 1, 3, 2]
  expect([mean(values), percentile(values, 0.5), percentile(values, 0.95)]).toEqual([2.5, 2, 4])
})
