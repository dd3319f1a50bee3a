import { expect, test } from 'vitest'
import type { Box, Boxes } from './field/boxes.ts'
import { makeLoadReport, writeLoadReport } from './load-report.ts'
import type { Aftermath } from './look-after.ts'
import type { Ending } from './send/ending.ts'
import { createTally } from './tally.ts'

const options = { seconds: 1, rate: 1, connections: 1, seed: 1, boxes: 1 }
const quiet: Aftermath = { leftInHand: 0, wastedSeconds: 0, tickets: {}, loopDelayP99Ms: 1 }

function boxesWith(mostAtOnce: number): Boxes {
  const simulator = { wastedTokens: 0 } as Box['simulator']
  const box: Box = { name: 'box-1', slots: 1, mostAtOnce, inHand: 0, calls: 2, workMs: 0, simulator }
  return { boxes: [box], takeWorkMs: () => 0, [Symbol.asyncDispose]: async () => {} }
}

function tallyOf(requests: number) {
  const tally = createTally()
  for (let number = 1; number <= requests; number++) tally.begin('short')
  return tally
}

const answered = { as: 'answered', status: 200, code: 'completed' } as const

test('all answered or hung up, on free slots: no problems', () => {
  const tally = tallyOf(2)
  tally.end('short', 1, answered)
  tally.end('short', 2, { as: 'hung_up' })
  tally.add(1.5)
  const report = makeLoadReport({ options, tally, boxes: boxesWith(1), aftermath: quiet })
  expect(report).toMatchObject({ sent: 2, answered: 1, hungUp: 1, lost: 0, problems: [] })
  expect(report.addedMs.p50).toBeCloseTo(1.5, 2)
  expect(writeLoadReport(report)).toContain('Nothing was lost.')
})

interface Wrong {
  readonly ending?: Ending
  readonly mostAtOnce?: number
  readonly aftermath?: Aftermath
}

test.each<[string, Wrong, RegExp]>([
  ['lost', { ending: { as: 'lost', why: 'cut' } }, /^1 lost$/],
  ['answered wrongly', { ending: { ...answered, wrong: 'empty' } }, /^1 answered wrongly$/],
  ['two calls on one slot', { mostAtOnce: 2 }, /had 2 calls at once and has 1 slots/],
  ['events left in hand', { aftermath: { ...quiet, leftInHand: 3 } }, /^3 still in hand/],
  ['a ticket that waits', { aftermath: { ...quiet, tickets: { queued: 1 } } }, /without an outcome/],
  [
    'a ticket on disk that nobody sent',
    { aftermath: { ...quiet, tickets: { failed: 1 } } },
    /^1 tickets on disk, 0/,
  ],
])('%s: a problem', (_what, { ending = answered, mostAtOnce = 1, aftermath = quiet }, problem) => {
  const tally = tallyOf(1)
  tally.end('short', 1, ending)
  const report = makeLoadReport({ options, tally, boxes: boxesWith(mostAtOnce), aftermath })
  expect(report.problems[0]).toMatch(problem)
  expect(writeLoadReport(report)).toContain('FAILED')
})

test('a request without an end: a problem', () => {
  const report = makeLoadReport({ options, tally: tallyOf(1), boxes: boxesWith(1), aftermath: quiet })
  expect(report.problems).toEqual(['1 without an end'])
})
