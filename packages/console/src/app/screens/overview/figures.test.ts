import { expect, test } from 'vitest'
import type { SeriesBody } from '../../api/desk.ts'
import { chartsOf, gpuTimeOf, headlinesOf, percent } from './figures.ts'

const BACKEND = {
  ...{ busy: [null, 1, 0.5], tokens_in: [null, 1, 1], tokens_out: [null, 1, 1] },
  ...{ abandoned_ms: [null, 0, 0], stopping_ms: [null, 0, 0], failed_ms: [null, 0, 0] },
}
const TOTAL = {
  ...{ started: 24, completed: 20, failed: 3, cancelled: 1, line_max: 4, late_max: 0 },
  ...{ wait_p95: 8_400, duration_p50: 2_000, duration_p95: 21_000, errors: { api_timeout: 3 } },
}
const SERIES: SeriesBody = {
  ...{ object: 'series', worker: 'w', step_s: 30 },
  ...{ from: '2026-03-01T14:00:00.000Z', to: '2026-03-01T14:01:30.000Z' },
  t: ['2026-03-01T14:00:00.000Z', '2026-03-01T14:00:30.000Z', '2026-03-01T14:01:00.000Z'],
  ...{ started: [null, 12, 12], completed: [null, 8, 12], failed: [null, 3, 0], cancelled: [null, 1, 0] },
  ...{ line_max: [null, 4, 0], wait_p95: [null, 8_400, null], duration_p50: [null, 2_000, 1_900] },
  ...{ duration_p95: [null, 21_000, 3_000], late_max: [null, 0, 0], errors: { api_timeout: [null, 3, 0] } },
  backends: { big: BACKEND, small: BACKEND },
  total: {
    ...TOTAL,
    backends: {
      big: {
        ...{ busy: 0.75, tokens_in: 2, tokens_out: 2 },
        ...{ abandoned_ms: 3_600, stopping_ms: 600, failed_ms: 5_400 },
      },
      small: {
        ...{ busy: 1, tokens_in: 2, tokens_out: 2 },
        ...{ abandoned_ms: 0, stopping_ms: 0, failed_ms: 130_000 },
      },
    },
  },
}

test('says what a range comes to, of the time that the server was there', () => {
  expect(headlinesOf(SERIES).map(({ name, words }) => `${name} ${words}`)).toEqual([
    'events 24/min',
    'failed 13 %',
    'wait p95 8.4 s',
    'answer p95 21 s',
  ])
})

test('says nothing of what is not known', () => {
  const nothing = { started: 0, completed: 0, failed: 0, cancelled: 0, wait_p95: null, duration_p95: null }
  const quiet = { ...SERIES, total: { ...SERIES.total, ...nothing } }
  expect(headlinesOf(quiet)).toEqual([{ name: 'events', words: '0/min' }])
  const away = { ...quiet, started: [null, null, null], total: { ...quiet.total, started: null } }
  expect(headlinesOf(away)).toEqual([])
  expect(gpuTimeOf(away, new Map())).toEqual([])
})

test('shares out the time of all slots of a backend, and never more than there is', () => {
  const [big, small] = gpuTimeOf(SERIES, new Map([['big', 1]]))
  expect(big?.parts.map(({ kind, share }) => [kind, Math.round(share * 1_000)])).toEqual([
    ['busy', 590],
    ['abandoned', 60],
    ['stopping', 10],
    ['failed', 90],
  ])
  expect(small?.parts.reduce((sum, { share }) => sum + share, 0)).toBe(1)
  const [half] = gpuTimeOf(SERIES, new Map([['big', 2]]))
  expect(half?.wasted).toBeCloseTo(0.08)
})

test('charts show counts by the minute, and gaps as gaps', () => {
  const [events, times, line, slots] = chartsOf(SERIES)
  expect(events?.lines.map(({ name, values }) => [name, values])).toEqual([
    ['completed', [null, 16, 24]],
    ['failed', [null, 6, 0]],
    ['cancelled', [null, 2, 0]],
  ])
  expect(times?.lines[0]?.values).toEqual([null, 8_400, null])
  expect(line?.words(4)).toBe('4')
  expect(slots?.lines.map(({ name }) => name)).toEqual(['big', 'small'])
  const looks = chartsOf(SERIES).map(({ lines }) => lines.map(({ token, dash }) => `${token} ${dash}`))
  for (const chart of looks) expect(new Set(chart).size).toBe(chart.length)
})

test.each([
  [0, '0 %'],
  [0.0004, '< 0.1 %'],
  [0.004, '0.4 %'],
  [0.06, '6.0 %'],
  [0.0996, '10 %'],
  [0.9996, '> 99 %'],
  [1, '100 %'],
])('a share of %d is said as %s: neither none nor all of what is not', (share, words) => {
  expect(percent(share)).toBe(words)
})
