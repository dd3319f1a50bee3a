import { expect, it } from 'vitest'
import { readPrefer } from './divert-event.ts'

it.each([
  [undefined, { respondAsync: false }],
  ['respond-async', { respondAsync: true }],
  ['Respond-Async; foo=bar, wait=10', { respondAsync: true, waitMs: 10_000 }],
  [['wait=5', 'respond-async'], { respondAsync: true, waitMs: 5_000 }],
  ['return=minimal, wait=x', { respondAsync: false }],
])('reads Prefer: %s', (header, preferences) => {
  expect(readPrefer(header)).toEqual(preferences)
})
