import { expect, test } from 'vitest'
import { AI_TICKET, BARE_PROXY, DIRECT } from '../servers/contenders.ts'
import type { Figures } from './figures.ts'
import { writeReport } from './report.ts'
import { isReached, targetsOf } from './targets.ts'

const speeds = (...values: number[]) =>
  values.map((requestsPerSecond) => ({
    requestsPerSecond,
    processorMicros: 1e6 / requestsPerSecond,
    failed: 0,
  }))

const figures: Figures = {
  throughput: {
    [DIRECT]: speeds(20_000, 10_000, 20_000),
    [BARE_PROXY]: speeds(10_000, 5_000, 10_000),
    [AI_TICKET]: speeds(7_000, 3_500, 5_000),
  },
  latencyMs: { [DIRECT]: [0.1, 0.1], [BARE_PROXY]: [0.2, 0.3], [AI_TICKET]: [0.4, 0.5] },
  firstTokenMs: { [DIRECT]: [1, 1], [BARE_PROXY]: [1.5, 1.5], [AI_TICKET]: [2.5, 2.7] },
  startMs: { [BARE_PROXY]: [150], [AI_TICKET]: [300] },
  memory: { [BARE_PROXY]: { idle: 60, afterLoad: 80 }, [AI_TICKET]: { idle: 90, afterLoad: 120 } },
  importCoreMs: [40, 50, 45],
}

test('a slow moment that meets both in one round leaves the ratio alone', () => {
  expect(writeReport(figures)).toContain(
    '| ai-ticket-server | 5000 | 200.0 | 0.70 (0.50–0.70) × | 0.70 (0.50–0.70) × |',
  )
})

test('time is what was added to the backend alone', () => {
  expect(writeReport(figures)).toContain(
    '| ai-ticket-server | 0.45 | 0.35 (0.30–0.40) | 2.33 × | 2.60 | 1.60 (1.50–1.70) | 3.20 × |',
  )
})

test('every target is judged, or said to be not measured', () => {
  const verdicts = targetsOf(figures).map((target) => [target.measured?.toFixed(2), isReached(target)])
  expect(verdicts).toEqual([
    ['0.70', true],
    [undefined, undefined],
    [undefined, undefined],
    ['0.35', false],
    ['3.20', false],
    ['300.00', true],
    ['30.00', false],
    ['45.00', true],
  ])
})
