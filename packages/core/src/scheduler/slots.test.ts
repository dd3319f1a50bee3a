import { expect, test } from 'vitest'
import { createSlots } from './backend-slots.ts'

test('no more are taken than there are, and a released one can be taken again', () => {
  const slots = createSlots(2)
  expect([slots.take(), slots.take(), slots.take()]).toEqual([true, true, false])
  expect(slots.inFlight).toBe(2)
  slots.release()
  expect(slots.inFlight).toBe(1)
  expect(slots.take()).toBe(true)
})

test('a slot that was never taken cannot be given back', () => {
  expect(() => createSlots(1).release()).toThrow('not taken')
})

test.each([0, -1, 1.5, Number.NaN])('%s is no concurrency', (concurrency) => {
  expect(() => createSlots(concurrency)).toThrow(RangeError)
})

test('fewer slots end nothing, and take nothing before enough are free', () => {
  const slots = createSlots(2)
  slots.take()
  slots.take()
  slots.resize(1)
  slots.release()
  expect(slots.take()).toBe(false)
  slots.resize(2)
  expect(slots.take()).toBe(true)
  expect(() => slots.resize(0)).toThrow(RangeError)
})
