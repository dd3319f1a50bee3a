import { expect, test } from 'vitest'
import { createBodyBudget } from './body-budget.ts'

test('one caller has three quarters of what the others leave', () => {
  const budget = createBodyBudget(1_000)
  expect(budget.take('a', 400)).toBe(true)
  expect(budget.take('a', 350)).toBe(true)
  expect(budget.take('a', 1)).toBe(false)
  expect(budget.take('b', 100)).toBe(true)
  expect(budget.take('b', 100)).toBe(false)
  expect(budget.take('c', 151)).toBe(false)
  budget.give('a', 350)
  expect(budget.take('b', 300)).toBe(true)
})

test('a first body needs no more than room, and what is given back is free', () => {
  const budget = createBodyBudget(1_000)
  expect(budget.take('a', 1_000)).toBe(true)
  expect(budget.take('b', 1)).toBe(false)
  budget.give('a', 1_000)
  expect(budget.take('b', 1_000)).toBe(true)
})
