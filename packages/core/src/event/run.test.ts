import { expect, test } from 'vitest'
import type { Failure } from '../contract/failure.ts'
import { Cancellation, createInFlight } from './run.ts'

const DEADLINE: Failure = { code: 'deadline_exceeded', details: 'too late' }
const CLOSING: Failure = { code: 'shutting_down', details: 'closing' }

test('the first reason to end a run is the one that counts', () => {
  const cancellation = new Cancellation()
  expect(cancellation.isCancelled).toBe(false)
  cancellation.cancel(DEADLINE)
  cancellation.cancel(CLOSING)
  expect(cancellation.reason).toBe(DEADLINE)
  expect(cancellation.signal).toMatchObject({ aborted: true, reason: DEADLINE })
})

test('a listener of the signal finds the reason', () => {
  const cancellation = new Cancellation()
  const found: Failure[] = []
  cancellation.signal.addEventListener('abort', () => found.push(cancellation.reason))
  cancellation.cancel(CLOSING)
  expect(found).toEqual([CLOSING])
})

test('a run that goes on has no reason', () => {
  expect(() => new Cancellation().reason).toThrow('goes on')
})

test('waiting ends with the value, with the reason, or with what the promise rejects with', async () => {
  const cancellation = new Cancellation()
  expect(await cancellation.until(Promise.resolve(7))).toEqual({ ok: true, value: 7 })
  await expect(cancellation.until(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  const waiting = cancellation.until(new Promise(() => {}))
  cancellation.cancel(DEADLINE)
  expect(await waiting).toEqual({ ok: false, failure: DEADLINE })
  expect(await cancellation.until(Promise.reject(new Error('too late to matter')))).toEqual({
    ok: false,
    failure: DEADLINE,
  })
})

test('who waits for nobody to be in hand is told once the last has gone', async () => {
  const inHand = createInFlight<string>()
  await inHand.empty()
  inHand.add('a')
  inHand.add('b')
  let isEmpty = false
  const empty = inHand.empty().then(() => {
    isEmpty = true
  })
  inHand.remove('a')
  await Promise.resolve()
  expect(isEmpty).toBe(false)
  inHand.remove('b')
  await empty
  expect(isEmpty).toBe(true)
})
