import { expect, test } from 'vitest'
import {
  afterReturn,
  type Candidate,
  cheapest,
  isWorthHolding,
  isWorthWaiting,
  noReturns,
  type Offer,
  pickCandidate,
} from './warm-choice.ts'

const candidate = (given: Partial<Candidate>): Candidate => ({
  savedMs: 0,
  workMs: 1_000,
  priority: 0,
  deadlineAt: 1_000_000,
  passedAt: undefined,
  ...given,
})
const cold = candidate({})
const warm = candidate({ savedMs: 900, workMs: 100 })
const pick = (order: readonly Candidate[], now = 0) => pickCandidate(order, { now, overtakeMs: 10_000 })

test('of those in line the one that saves the most is served, else the one whose turn it is', () => {
  expect(pick([cold, warm, candidate({ savedMs: 400, workMs: 600 })])).toBe(1)
  expect(pick([warm, warm, warm])).toBe(0)
  expect(pick([cold, candidate({ savedMs: 15 })])).toBe(0)
  expect(pick([])).toBe(-1)
})

test('a warm prompt overtakes nobody of a higher priority, wherever that one stands', () => {
  expect(pick([candidate({ priority: 1 }), warm])).toBe(0)
  expect(pick([cold, candidate({ priority: 1 }), warm])).toBe(0)
  expect(pick([cold, { ...warm, priority: 1 }])).toBe(1)
})

test('nobody is overtaken beyond the bound, the work of who overtakes included', () => {
  expect(pick([candidate({ passedAt: 0 }), warm], 9_900)).toBe(1)
  expect(pick([candidate({ passedAt: 0 }), warm], 9_901)).toBe(0)
  expect(pick([cold, candidate({ passedAt: 0 }), warm], 9_901)).toBe(0)
})

test('nobody is overtaken past its deadline', () => {
  expect(pick([candidate({ deadlineAt: 1_100 }), warm])).toBe(1)
  expect(pick([candidate({ deadlineAt: 1_099 }), warm])).toBe(0)
})

const offer = (given: Partial<Offer>): Offer => ({
  waitMs: 0,
  workMs: 1_000,
  savedMs: 0,
  lossMs: 0,
  ...given,
})

test('of free backends the cheapest is used, the preferred one where none is clearly cheaper', () => {
  expect(cheapest([offer({}), offer({ workMs: 990 })])).toBe(0)
  expect(cheapest([offer({}), offer({ workMs: 100, savedMs: 900 })])).toBe(1)
  expect(cheapest([offer({ lossMs: 500 }), offer({})])).toBe(1)
})

test('a warm backend is waited for while the wait is shorter than what it saves', () => {
  const busy = (waitMs: number) => offer({ waitMs, workMs: 100, savedMs: 900 })
  expect(isWorthWaiting(busy(800), offer({}))).toBe(true)
  expect(isWorthWaiting(busy(870), offer({}))).toBe(false)
  expect(isWorthWaiting(offer({ waitMs: 1, workMs: 10 }), offer({}))).toBe(false)
})

test('a slot is held where the prompt is worth twenty pauses, or where the caller is known to come back', () => {
  expect(isWorthHolding(1_001, noReturns, 50)).toBe(true)
  expect(isWorthHolding(1_000, noReturns, 50)).toBe(false)
  expect(isWorthHolding(1_001, afterReturn(noReturns, false), 50)).toBe(false)
  expect(isWorthHolding(200, afterReturn(noReturns, true), 50)).toBe(true)
  let returns = noReturns
  for (let time = 0; time < 20; time++) returns = afterReturn(returns, true)
  for (let time = 0; time < 20; time++) returns = afterReturn(returns, false)
  expect(isWorthHolding(1_000, returns, 50)).toBe(false)
})
