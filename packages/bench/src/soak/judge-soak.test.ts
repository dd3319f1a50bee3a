import { expect, test } from 'vitest'
import type { Holdings } from './ask-inside.ts'
import { judgeSoak, type Sample } from './judge-soak.ts'

const limits = { heapMbPerMinute: 1, loopP99Ms: 50 }
const rest: Holdings = {
  heapUsed: 20e6,
  rss: 100e6,
  handles: { TCPServerWrap: 1, Timeout: 3 },
  listeners: 6,
  listenerWarnings: 0,
  loopP99Ms: 2,
}

/** Heap after each collection, in MB, as servers really showed it: one sample every 3 s. */
const FLAT = [21.9, 22.4, 21.7, 22.1, 22.6, 21.8, 22.0, 22.5, 21.9, 22.2, 22.3, 21.8, 22.1, 22.4, 22.0, 21.9]
const SLOWLY = FLAT.map((heap, index) => heap + index * 0.025)
const LEAKING = FLAT.map((heap, index) => heap + index * 0.1)

const samplesOf = (heaps: readonly number[]): Sample[] =>
  heaps.map((heap, index) => ({ ...rest, atMs: index * 3000, heapUsed: heap * 1e6 }))

const series = (heaps: readonly number[], restAfter: Partial<Holdings> = {}) => ({
  samples: samplesOf(heaps),
  restBefore: rest,
  restAfter: { ...rest, ...restAfter },
})

test('a flat heap, and one that may as well be flat, pass', () => {
  expect(judgeSoak(series(FLAT), limits)).toMatchObject({ problems: [], loopP99Ms: 2 })
  // Half a megabyte a minute: below what is certain to be a leak.
  expect(judgeSoak(series(SLOWLY), limits).problems).toEqual([])
})

test('a heap that surely grows by more than its limit fails', () => {
  const { heap, problems } = judgeSoak(series(LEAKING), limits)
  expect(heap.low).toBeGreaterThan(1)
  expect(problems).toEqual([expect.stringMatching(/^the heap grows by at least 1\.\d\d MB a minute$/)])
})

test('too few samples prove nothing, so they fail', () => {
  expect(judgeSoak(series([20, 20]), limits).problems).toEqual(['2 samples are too few to see a slope'])
})

test.each<[string, Partial<Holdings>, RegExp]>([
  ['timers', { handles: { TCPServerWrap: 1, Timeout: 40 } }, /^37 handles more.*Timeout 3 → 40/],
  ['listeners', { listeners: 7 }, /^1 listeners more/],
  ['warned listeners', { listenerWarnings: 2 }, /^Node warned 2 times/],
])('%s that stay behind fail', (_what, restAfter, problem) => {
  expect(judgeSoak(series(FLAT, restAfter), limits).problems).toEqual([expect.stringMatching(problem)])
})

test('a timer that comes and goes does not', () => {
  const restAfter = { handles: { TCPServerWrap: 1, Timeout: 6 } }
  expect(judgeSoak(series(FLAT, restAfter), limits).problems).toEqual([])
})

test('a late event loop fails', () => {
  const late = series(FLAT)
  const samples = late.samples.map((sample) => ({ ...sample, loopP99Ms: 51 }))
  expect(judgeSoak({ ...late, samples }, limits).problems).toEqual([
    expect.stringMatching(/later than 51\.0 ms/),
  ])
})
