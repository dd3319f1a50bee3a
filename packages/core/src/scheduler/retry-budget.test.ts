import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCallerBudgets, createRetryBudget } from './retry-budget.ts'

const repeatsGranted = (budget: ReturnType<typeof createRetryBudget>, wanted: number, now: number) =>
  Array.from({ length: wanted }, () => budget.tryRepeat(now)).filter(Boolean).length

test('a quiet backend may be asked again ten times a minute', () => {
  const budget = createRetryBudget()
  expect(repeatsGranted(budget, 50, 0)).toBe(10)
  expect(budget.spent(59_999)).toBe(true)
  expect(budget.spent(61_000)).toBe(false)
})

test('a busy backend may be asked again for a fifth of its calls', () => {
  const budget = createRetryBudget()
  for (let call = 0; call < 200; call += 1) budget.recordCall(call * 100)
  expect(repeatsGranted(budget, 200, 20_000)).toBe(40)
})

test('calls that have left the window no longer pay for repeats', () => {
  const budget = createRetryBudget()
  for (let call = 0; call < 1000; call += 1) budget.recordCall(0)
  expect(repeatsGranted(budget, 500, 60_001)).toBe(10)
})

test('window, share and floor can be chosen', () => {
  const budget = createRetryBudget({ windowMs: 2000, share: 0.5, floor: 1 })
  for (let call = 0; call < 6; call += 1) budget.recordCall(0)
  expect(repeatsGranted(budget, 10, 0)).toBe(3)
  expect(budget.tryRepeat(3000)).toBe(true)
})

test('asking whether it is spent takes nothing', () => {
  const budget = createRetryBudget({ floor: 1 })
  for (let time = 0; time < 5; time += 1) expect(budget.spent(0)).toBe(false)
  expect(budget.tryRepeat(0)).toBe(true)
  expect(budget.spent(0)).toBe(true)
})

const steps = fc.array(
  fc.record({
    afterMs: fc.oneof({ weight: 60, arbitrary: fc.nat(900) }, { weight: 1, arbitrary: fc.nat(130_000) }),
    repeat: fc.boolean(),
  }),
  { minLength: 1, maxLength: 600, size: 'max' },
)

test('at every repeat the last 60 s hold at most ten, or a fifth of their calls', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      const budget = createRetryBudget()
      const calls: number[] = []
      const repeats: number[] = []
      let now = 0
      for (const { afterMs, repeat } of plan) {
        now += afterMs
        if (repeat && budget.tryRepeat(now)) repeats.push(now)
        const since = now - 60_000
        const repeatCount = repeats.filter((at) => at > since).length
        const callCount = calls.filter((at) => at > since).length
        if (repeats.at(-1) === now) expect(repeatCount).toBeLessThanOrEqual(Math.max(10, callCount / 5))
        budget.recordCall(now)
        calls.push(now)
      }
    }),
  )
})

test('never refuses while the last 61 s hold fewer than ten repeats', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      const budget = createRetryBudget()
      const repeats: number[] = []
      let now = 0
      for (const { afterMs } of plan) {
        now += afterMs
        const recent = repeats.filter((at) => at > now - 61_000).length
        const granted = budget.tryRepeat(now)
        if (granted) repeats.push(now)
        expect(granted || recent >= 10).toBe(true)
      }
    }),
  )
})

const ALLOWED = { windowMs: 60_000, share: 0.2, floor: 10 }

test('a caller has a budget of its own, smaller than that of a backend', () => {
  const budgetOf = createCallerBudgets(ALLOWED).of
  const mine = budgetOf('mine')
  const repeats = Array.from({ length: 8 }, () => mine?.tryRepeat(0))
  expect(repeats).toEqual([true, true, true, true, true, true, false, false])
  expect(budgetOf('mine')?.spent(0)).toBe(true)
  expect(budgetOf('theirs')?.spent(0)).toBe(false)
  expect(budgetOf('mine')?.spent(120_000)).toBe(false)
})

test('who calls much may repeat more; who has no name is not counted', () => {
  const budgetOf = createCallerBudgets(ALLOWED).of
  for (let call = 0; call < 100; call++) budgetOf('busy')?.recordCall(0)
  expect(budgetOf('busy')?.left(0)).toBe(20)
  expect(budgetOf('')).toBeUndefined()
})

test('of many callers only the latest are remembered', () => {
  const budgetOf = createCallerBudgets(ALLOWED).of
  const first = budgetOf('first')
  for (let caller = 0; caller < 999; caller++) budgetOf(`caller ${caller}`)
  expect(budgetOf('first')).toBe(first)
  for (let caller = 0; caller < 1_000; caller++) budgetOf(`other ${caller}`)
  expect(budgetOf('first')).not.toBe(first)
})

test('other bounds hold at once, and what was counted still counts', () => {
  const budget = createRetryBudget()
  for (let call = 0; call < 100; call += 1) budget.recordCall(50_000)
  expect(repeatsGranted(budget, 15, 50_000)).toBe(15)
  budget.change({ windowMs: 60_000, share: 0.3, floor: 1 })
  expect(budget.left(50_000)).toBe(15)
  budget.change({ windowMs: 120_000, share: 0.3, floor: 1 })
  expect(budget.left(160_000)).toBe(15)
  budget.change({ windowMs: 2_000, share: 0.3, floor: 1 })
  expect(budget.left(160_000)).toBe(1)
})

test('the budgets of known callers change, too', () => {
  const budgets = createCallerBudgets(ALLOWED)
  budgets.of('mine')?.tryRepeat(0)
  budgets.change({ ...ALLOWED, floor: 100 })
  expect([budgets.of('mine')?.left(0), budgets.of('theirs')?.left(0)]).toEqual([59, 60])
})
