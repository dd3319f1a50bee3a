import { afterEach, expect, test, vi } from 'vitest'
import { giveBackMemory, tidyWhenIdle } from './process.ts'

afterEach(() => vi.useRealTimers())

test('memory is given back once, as soon as nothing runs', () => {
  vi.useFakeTimers()
  const tidy = vi.fn()
  let isIdle = false
  tidyWhenIdle(() => isIdle, tidy)
  vi.advanceTimersByTime(60_000)
  expect(tidy).not.toHaveBeenCalled()
  isIdle = true
  vi.advanceTimersByTime(60_000)
  expect(tidy).toHaveBeenCalledOnce()
})

test('what nothing holds any more is collected, and nobody else can ask for that', () => {
  // An object may outlive one collection by the registers of this very function.
  const held = Array.from({ length: 50 }, () => new WeakRef({ some: 'garbage' }))
  return new Promise<void>((resolve) => setTimeout(resolve, 1)).then(() => {
    giveBackMemory()
    expect(held.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(5)
    expect(globalThis).not.toHaveProperty('gc')
  })
})
