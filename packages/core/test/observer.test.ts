import type { AbandonedCall, AttemptRecord, EventTiming, Logger, Observer, Outcome } from '@ai-ticket/core'
import { silentLogger } from '@ai-ticket/core'
import { expect, test } from 'vitest'
import { openDesk } from './open-desk.ts'

const FAST = { tokensPerSecond: Number.POSITIVE_INFINITY }

function recorder() {
  const attempts: AttemptRecord[] = []
  const ended: { outcome: Outcome; timing: EventTiming }[] = []
  const abandoned: AbandonedCall[] = []
  const seen = { started: 0, attempts, ended, abandoned }
  const observer: Observer = {
    eventStarted: () => {
      seen.started += 1
    },
    attemptEnded: (attempt) => void attempts.push({ ...attempt }),
    abandonedCallStopped: (call) => void abandoned.push(call),
    eventEnded: (outcome, timing) => void ended.push({ outcome, timing }),
  }
  return { seen, observer }
}

test('the observer is told of each event and each call', async () => {
  const { seen, observer } = recorder()
  await using desk = await openDesk([FAST], { observer })
  const outcome = await desk.dispatcher.onEvent({ content: 'Say hello.' })
  await desk.dispatcher.onEvent({ content: '' })
  expect(seen.started).toBe(2)
  expect(seen.attempts).toMatchObject([{ backend: 'b1', endpoint: 'chat', number: 1, result: 'completed' }])
  expect(seen.ended[0]?.outcome).toBe(outcome)
  expect(seen.ended[1]?.outcome).toMatchObject({ error: 'prompt_extraction_failed' })
  expect(seen.ended[0]?.timing.waitedMs).toBe(0)
})

test('a caller who leaves a generation behind shows as an abandoned call', async () => {
  const { seen, observer } = recorder()
  await using desk = await openDesk([{ tokensPerSecond: 5, abortReplyMs: 40 }], { observer })
  const control = new AbortController()
  const event = desk.dispatcher.onEvent({ content: 'Say hello.' }, { signal: control.signal })
  await desk.simulators[0].waitForCall(1)
  control.abort()
  await expect(event).rejects.toThrow()
  expect(seen.attempts).toMatchObject([{ result: 'cancelled', backend: 'b1' }])
  await expect.poll(() => seen.abandoned).toEqual([{ backend: 'b1', afterMs: expect.any(Number) }])
  expect(seen.abandoned[0]?.afterMs).toBeGreaterThan(0)
})

test('an observer that throws costs nobody an answer', async () => {
  const errors: string[] = []
  const logger: Logger = { ...silentLogger, error: (message) => void errors.push(message) }
  const fail = () => {
    throw new Error('broken')
  }
  const observer = { eventStarted: fail, attemptEnded: fail, eventEnded: fail }
  await using desk = await openDesk([FAST], { observer, logger })
  expect(await desk.dispatcher.onEvent({ content: 'Say hello.' })).toHaveProperty('completion')
  expect(errors).toEqual(Array.from({ length: 3 }, () => 'the observer threw'))
})
