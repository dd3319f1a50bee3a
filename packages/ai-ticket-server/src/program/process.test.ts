import { afterEach, expect, test, vi } from 'vitest'
import { giveBackMemory, giveBackMemoryAtRest, keepCodeWithoutWork } from './process.ts'

afterEach(() => vi.useRealTimers())

test('memory is given back once after the start, as soon as nothing runs', () => {
  vi.useFakeTimers()
  const giveBack = vi.fn()
  let isBusy = true
  giveBackMemoryAtRest(() => ({ events: 3, isBusy }), giveBack)
  vi.advanceTimersByTime(60_000)
  expect(giveBack).not.toHaveBeenCalled()
  isBusy = false
  vi.advanceTimersByTime(3_600_000)
  expect(giveBack).toHaveBeenCalledOnce()
})

test('a server that had many events keeps the code that they have made faster until it is at rest', () => {
  vi.useFakeTimers()
  const giveBack = vi.fn()
  const use = { events: 100, isBusy: true }
  giveBackMemoryAtRest(() => use, giveBack)
  vi.advanceTimersByTime(2_000)
  use.isBusy = false
  vi.advanceTimersByTime(299_000)
  expect(giveBack).not.toHaveBeenCalled()
  vi.advanceTimersByTime(301_000)
  expect(giveBack).toHaveBeenCalledOnce()
})

test('and gives back again after each use, not while it is busy', () => {
  vi.useFakeTimers()
  const giveBack = vi.fn()
  const use = { events: 0, isBusy: false }
  giveBackMemoryAtRest(() => use, giveBack)
  vi.advanceTimersByTime(2_000)
  expect(giveBack).toHaveBeenCalledOnce()
  Object.assign(use, { events: 1, isBusy: true })
  vi.advanceTimersByTime(3_600_000)
  expect(giveBack).toHaveBeenCalledOnce()
  use.isBusy = false
  vi.advanceTimersByTime(3_600_000)
  expect(giveBack).toHaveBeenCalledTimes(2)
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

test('V8 is told to keep code only where it cannot be collecting yet', () => {
  // With the setting in the midst of such a collection, V8 ends the process.
  const setFlag = vi.fn()
  keepCodeWithoutWork(4, setFlag)
  expect(setFlag).not.toHaveBeenCalled()
  keepCodeWithoutWork(3.9, setFlag)
  expect(setFlag).toHaveBeenCalledExactlyOnceWith('--memory-reducer-gc-count=0')
})
