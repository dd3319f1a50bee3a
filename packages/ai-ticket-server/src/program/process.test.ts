import { afterEach, expect, test, vi } from 'vitest'
import { giveBackMemory, tidyUnlessUsed } from './process.ts'

afterEach(() => vi.useRealTimers())

test('memory is given back once, as soon as nothing runs', () => {
  vi.useFakeTimers()
  const tidy = vi.fn()
  let isBusy = true
  tidyUnlessUsed(() => ({ events: 3, isBusy }), tidy)
  vi.advanceTimersByTime(60_000)
  expect(tidy).not.toHaveBeenCalled()
  isBusy = false
  vi.advanceTimersByTime(60_000)
  expect(tidy).toHaveBeenCalledOnce()
})

test('a server that had many events keeps the code that they have made faster', () => {
  vi.useFakeTimers()
  const tidy = vi.fn()
  let isBusy = true
  tidyUnlessUsed(() => ({ events: 100, isBusy }), tidy)
  vi.advanceTimersByTime(2_000)
  isBusy = false
  vi.advanceTimersByTime(60_000)
  expect(tidy).not.toHaveBeenCalled()
})

test('what nothing holds any more is collected, and nobody else can ask for that', () => {
  // An object may outlive one collection by the registers of this very function.
  const held = Array.from({ length: 50 }, () => new WeakRef({ some: 'garbage' }))
  return new Promise((resolve) => setImmediate(resolve)).then(() => {
    giveBackMemory()
    expect(held.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(5)
    expect(globalThis).not.toHaveProperty('gc')
  })
})
