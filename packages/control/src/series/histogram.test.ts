import { expect, test } from 'vitest'
import { addFigures, noFigures, readFigures, writeFigures } from './figures.ts'
import { addHistogram, type Histogram, note, percentile } from './histogram.ts'

/** The nearest rank of the durations themselves. */
const exact = (durations: readonly number[], share: number): number =>
  [...durations].sort((one, other) => one - other)[Math.max(1, Math.ceil(durations.length * share)) - 1] ?? 0

/** The same numbers each time. */
function* drawn(count: number) {
  let state = 1
  for (let number = 0; number < count; number++) {
    state = (state * 48_271) % 2_147_483_647
    yield state / 2_147_483_647
  }
}

test('a percentile is off by 5 % at most, or a millisecond', () => {
  // From a part of a millisecond to an hour.
  for (const most of [10, 500, 30_000, 3_600_000]) {
    const durations = [...drawn(5_000)].map((one) => most ** one * one)
    const histogram: Histogram = new Map()
    for (const ms of durations) note(histogram, ms)
    for (const share of [0, 0.5, 0.95, 1]) {
      const [found, right] = [percentile(histogram, share) ?? -1, exact(durations, share)]
      expect(Math.abs(found - right), `${share} of ${most}: ${found}, not ${right}`).toBeLessThanOrEqual(
        Math.max(1, 0.045 * right),
      )
    }
  }
})

test('two of them come to what one would have', () => {
  const [all, odd, even]: [Histogram, Histogram, Histogram] = [new Map(), new Map(), new Map()]
  for (const [index, one] of [...drawn(500)].entries()) {
    note(all, one * 10_000)
    note(index % 2 === 0 ? even : odd, one * 10_000)
  }
  addHistogram(even, odd)
  expect([...even].sort()).toEqual([...all].sort())
})

test('of nothing there is none', () => {
  expect(percentile(new Map(), 0.95)).toBeNull()
})

test('what was stored is read back, and what is none of it is not believed', () => {
  const backend = { busyMs: 3_000, tokensIn: 1, tokensOut: 2, abandonedMs: 3, stoppingMs: 4, failedMs: 5 }
  const figures = {
    ...{ aliveMs: 60_000, started: 3, completed: 2, cancelled: 1, lineMax: 4, lateMax: 7 },
    errors: new Map([['api_timeout', 2]]),
    waits: new Map([[3, 1]]),
    durations: new Map([[40, 2]]),
    backends: new Map([
      ['__proto__', backend],
      ['big', { ...backend, busyMs: 0 }],
    ]),
  }
  const read = readFigures(writeFigures(figures))
  const sum = noFigures()
  if (read) addFigures(sum, read)
  expect(sum).toEqual(figures)
  for (const text of ['', 'null', '7', '{}', '{"aliveMs":"60000"}']) expect(readFigures(text)).toBeUndefined()
})
